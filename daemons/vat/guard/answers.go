package guard

import (
	"slices"

	"capnproto.org/go/capnp/v3"
)

// answers are our side of the peer's questions. The library knows each by an id of its own: an id that was used again
// while its answer was being taken down met the old one (go-capnp #646 is one case).
type answers struct {
	asked map[uint32]*answer // the open ones, by the peer's id
	known map[uint32]*answer // those that the library has not forgotten, by its id
	last  uint32             // the library's

	computing   int // calls that the library has and has not returned
	bootstraps  int // not finished
	returned    int // not finished
	callBytes   int // of calls that have not returned
	resultBytes int // of results that are not finished
}

// A stage is the state of an answer.
type stage uint8

const (
	waiting   stage = iota // Its call waits in the guard.
	computing              // The library has its call.
	returned               // Its Return has been written, or will be before anything else that refers to it.
)

// An answer is our side of a question of the peer.
type answer struct {
	id    uint32 // the library's id
	wire  uint32 // the peer's id
	stage stage
	ours  bool // The library does not know it: the guard has answered it, or finished it.
	boot  bool // It is a bootstrap.

	callBytes   int            // bytes of its call, until it returns
	resultBytes int            // bytes of its results, until it is finished
	failed      bool           // It returned an exception.
	places      []place        // the capabilities in its results
	exports     []uint32       // our capabilities in its results, once for each reference
	cancelled   bool           // The peer finished it before it returned
	dropResults bool           // and released the capabilities in its results.
	held        *capnp.Message // the peer's Finish, held until the Return: see Forwards
	users       int            // waiting messages that refer to it
	finish      *capnp.Message // the peer's Finish, held until those messages have gone
}

// A place says where a capability is in an answer's results, and whose capability it is.
type place struct {
	fields   []uint16
	export   uint32 // its export id, if it is ours
	ours     bool
	returned bool // It is the peer's own: calls on it are under an embargo until the peer lifts it.
}

// at returns the capability that a transform leads to.
func (a *answer) at(fields []uint16) (place, bool) {
	i := slices.IndexFunc(a.places, func(p place) bool { return slices.Equal(p.fields, fields) })
	if i < 0 {
		return place{}, false
	}
	return a.places[i], true
}

// over reports whether it has returned, or never will.
func (a *answer) over() bool { return a.stage == returned || a.cancelled }

// open registers a question of the peer under an id that the library does not use yet.
func (x *answers) open(wire uint32) (*answer, error) {
	if x.asked[wire] != nil {
		return nil, refuse(ReusedQuestionID)
	}
	x.last++
	for x.known[x.last] != nil {
		x.last++
	}
	a := &answer{id: x.last, wire: wire}
	x.asked[wire], x.known[a.id] = a, a
	return a, nil
}

// find returns a question of the peer that it has not finished.
func (x *answers) find(wire uint32) (*answer, error) {
	a := x.asked[wire]
	if a == nil || a.cancelled {
		return nil, refuse(BadQuestionID)
	}
	return a, nil
}

// full reports whether no further call may be computed.
func (x *answers) full() bool { return x.computing >= MaxCalls || x.unfinished() }

// unfinished reports whether the peer has to finish answers first.
func (x *answers) unfinished() bool {
	return x.returned >= MaxAnswers || x.resultBytes >= MaxAnswerBytes
}

// drop forgets an answer that has returned and is finished.
func (x *answers) drop(a *answer) {
	delete(x.known, a.id)
	x.returned--
	x.resultBytes -= a.resultBytes
	if a.boot {
		x.bootstraps--
	}
}
