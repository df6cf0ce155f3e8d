package guard

// questions are our calls and bootstraps, by the library's id. A Return for one that is not open is refused: the
// library ended the connection, or the process (seen).
type questions struct {
	open      map[uint32]*question
	abandoned int             // those that are finished and have not returned
	embargoes map[uint32]bool // ours, not yet answered by the peer
}

// A question is one of our calls or bootstraps.
type question struct {
	exports  []uint32 // our capabilities in its parameters, once for each reference
	imports  []uint32 // the peer's capabilities in its results
	returned bool
	finished bool
	dropped  bool // It was finished, together with everything in its results.
}

// find returns a question that has not returned.
func (x *questions) find(id uint32) (*question, error) {
	q := x.open[id]
	if q == nil || q.returned {
		return nil, refuse(BadAnswerID)
	}
	return q, nil
}

// returns records the Return of a question.
func (x *questions) returns(id uint32, q *question) {
	q.returned = true
	if q.finished {
		x.abandoned--
		delete(x.open, id)
	}
}

// finish records our Finish of a question. Too many that never return are the peer's fault, unless its calls are
// forwarded: then it is ours to give up fewer.
func (x *questions) finish(id uint32, q *question, forwards bool) error {
	if q.finished = true; q.returned {
		delete(x.open, id)
		return nil
	}
	x.abandoned++
	switch {
	case x.abandoned <= MaxAbandoned:
		return nil
	case forwards:
		return refuse(GivesUp)
	default:
		return refuse(NeverReturns)
	}
}

// lift ends an embargo of ours that the peer has answered.
func (x *questions) lift(embargo uint32) error {
	if !x.embargoes[embargo] {
		return refuse(BadDisembargo)
	}
	delete(x.embargoes, embargo)
	return nil
}
