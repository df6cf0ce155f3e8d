package guard

import (
	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// open registers a question of the peer under an id that the library does not use yet.
func (g *Guard) open(wire uint32) (*answer, error) {
	if g.asked[wire] != nil {
		return nil, refuse(ReusedQuestionID)
	}
	g.lastAnswer++
	for g.answers[g.lastAnswer] != nil {
		g.lastAnswer++
	}
	a := &answer{id: g.lastAnswer, wire: wire}
	g.asked[wire], g.answers[a.id] = a, a
	return a, nil
}

// cancel handles the Finish of a question that has not returned. Messages that wait for its answer can no longer
// succeed.
func (g *Guard) cancel(a *answer, msg *capnp.Message, dropResults bool) {
	a.cancelled, a.dropResults = true, dropResults
	switch {
	case a.stage == waiting:
		g.withdraw(a)
	case g.forwards && !a.boot:
		a.held = msg
	default:
		g.pass(msg)
	}
	if a.users > 0 {
		g.admit()
	}
}

// finishReturned handles the Finish of a question that has returned. The library sees the Finish only after the waiting
// messages that refer to the answer, and each release of a capability only after the waiting messages that refer to
// that capability.
func (g *Guard) finishReturned(a *answer, msg *capnp.Message, fin rpccp.Finish) error {
	delete(g.asked, a.wire)
	wasFull := g.full()
	g.move()
	release := fin.ReleaseResultCaps()
	fin.SetReleaseResultCaps(false)
	switch {
	case a.ours:
		g.drop(a)
	case a.users > 0:
		a.finish = msg
	default:
		g.pass(msg)
		g.drop(a)
	}
	if release {
		for _, id := range a.exports {
			if err := g.giveUp(id, 1, nil); err != nil {
				return err
			}
		}
	}
	if wasFull {
		g.admit()
	}
	return nil
}

// drop forgets an answer that has returned and is finished.
func (g *Guard) drop(a *answer) {
	delete(g.answers, a.id)
	g.returned--
	g.resultBytes -= a.resultBytes
	if a.boot {
		g.bootstraps--
	}
}

// giveUp handles the peer's release of references to one of our capabilities. The library sees the release only after
// the waiting messages that refer to the capability. msg, if not nil, is a Release of exactly these references.
func (g *Guard) giveUp(id, count uint32, msg *capnp.Message) error {
	e := g.exports[id]
	if e == nil || count == 0 || count > e.refs {
		return refuse(BadRelease)
	}
	e.refs -= count
	switch {
	case e.users > 0:
		e.owed += count
	case msg != nil:
		g.pass(msg)
	default:
		g.pass(releaseMessage(id, count))
	}
	g.tidy(id, e)
	return nil
}

// tidy forgets an export that has no references left.
func (g *Guard) tidy(id uint32, e *export) {
	if e.refs == 0 && e.users == 0 && e.owed == 0 {
		delete(g.exports, id)
	}
}
