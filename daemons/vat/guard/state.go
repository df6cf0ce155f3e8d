package guard

import (
	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// A state is what the guard knows of a conversation: what each side holds, what waits, and what is on its way. The
// guard's lock protects it.
type state struct {
	exports   exports
	imports   imports
	answers   answers
	questions questions
	queue     queue
	pace      pace

	forwards bool             // the peer's calls are forwarded to another connection
	ready    []*capnp.Message // for the library
	outbox   []*capnp.Message // the guard's own messages for the peer
	flushing bool             // outbox is being written
	flush    func()           // writes it
}

// pass queues a message for the library.
func (s *state) pass(msg *capnp.Message) { s.ready = append(s.ready, msg) }

// send queues one of the guard's own messages for the peer.
func (s *state) send(msg *capnp.Message) {
	s.outbox = append(s.outbox, msg)
	if !s.flushing {
		s.flushing = true
		go s.flush()
	}
}

// crowded reports whether nothing more may be read until calls have left.
func (s *state) crowded() bool {
	return len(s.queue.items) >= MaxWaiting || s.answers.callBytes >= MaxCallBytes
}

// submit gives the item to the library, or makes it wait.
func (s *state) submit(it *item) {
	if !it.known() || it.call != nil && s.answers.full() || s.queue.behind(it) {
		s.park(it)
		return
	}
	s.deliver(it)
}

// park makes an item wait. What it refers to is kept until it has gone.
func (s *state) park(it *item) {
	if it.target != nil {
		it.target.users++
	}
	for _, p := range it.promised {
		p.answer.users++
	}
	for _, id := range it.exports {
		s.exports[id].users++
	}
	s.queue.add(it)
}

// admit delivers the items that no longer have to wait, in order of arrival.
func (s *state) admit() {
	var behind map[lane]bool // lanes of the items passed over
	kept := s.queue.items[:0]
	for i, it := range s.queue.items {
		if s.answers.full() && s.queue.others == 0 {
			kept = append(kept, s.queue.items[i:]...)
			break
		}
		if it.call != nil && s.answers.full() || !it.known() || it.flows() && behind[it.lane] {
			if behind == nil {
				behind = map[lane]bool{}
			}
			behind[it.lane] = behind[it.lane] || it.flows()
			kept = append(kept, it)
			continue
		}
		s.leave(it, s.deliver)
	}
	clear(s.queue.items[len(kept):])
	s.queue.items = kept
}

// leave ends an item's wait: do sends it on its way, and later items may follow.
func (s *state) leave(it *item, do func(*item)) {
	if it.call == nil {
		s.queue.others--
	}
	s.queue.exit(it)
	do(it)
	if it.target != nil {
		s.unuse(it.target)
	}
	for _, p := range it.promised {
		s.unuse(p.answer)
	}
	for _, id := range it.exports {
		if owed := s.exports.unuse(id); owed > 0 {
			s.pass(releaseMessage(id, owed))
		}
	}
	s.pace.move()
}

func (s *state) unuse(a *answer) {
	a.users--
	if a.users == 0 && a.finish != nil {
		s.pass(a.finish)
		a.finish = nil
		s.answers.drop(a)
	}
}

// deliver gives the library an item whose answers are all known. A call that can reach nothing gets its exception here.
func (s *state) deliver(it *item) {
	for _, p := range it.promised {
		if p.answer.ours || p.answer.cancelled {
			p.descriptor.SetNone()
		}
	}
	if it.call != nil {
		if why := it.unreachable(); why != "" {
			s.reject(it, why)
			return
		}
		it.call.stage = computing
		s.answers.computing++
	}
	it.msg.ResetReadLimit(readLimit(it.size))
	s.pass(it.msg)
}

// reject answers a call that the library must not see with an exception, and releases the capabilities in its
// parameters.
func (s *state) reject(it *item, why string) {
	a := it.call
	a.stage, a.ours, a.failed = returned, true, true
	s.answers.callBytes -= a.callBytes
	s.answers.returned++
	s.send(exceptionMessage(a.wire, why))
	s.giveBack(it)
	if a.cancelled {
		delete(s.answers.asked, a.wire)
		s.answers.drop(a)
	}
}

// giveBack releases the peer's capabilities in an item.
func (s *state) giveBack(it *item) {
	for _, local := range it.imports {
		if wire, known := s.imports.forget(local); known {
			s.send(releaseMessage(wire, 1))
		}
	}
}

// withdraw removes the waiting call of an answer from the queue.
func (s *state) withdraw(a *answer) {
	for i, it := range s.queue.items {
		if it.call == a {
			s.queue.items = append(s.queue.items[:i], s.queue.items[i+1:]...)
			s.leave(it, func(it *item) { s.reject(it, "cancelled") })
			return
		}
	}
}

// cancel handles the Finish of a question that has not returned. Messages that wait for its answer can no longer
// succeed.
func (s *state) cancel(a *answer, msg *capnp.Message, dropResults bool) {
	a.cancelled, a.dropResults = true, dropResults
	switch {
	case a.stage == waiting:
		s.withdraw(a)
	case s.forwards && !a.boot:
		a.held = msg
	default:
		s.pass(msg)
	}
	if a.users > 0 {
		s.admit()
	}
}

// finishReturned handles the Finish of a question that has returned. The library sees the Finish only after the waiting
// messages that refer to the answer, and each release of a capability only after the waiting messages that refer to
// that capability.
func (s *state) finishReturned(a *answer, msg *capnp.Message, fin rpccp.Finish) error {
	delete(s.answers.asked, a.wire)
	wasFull := s.answers.full()
	s.pace.move()
	release := fin.ReleaseResultCaps()
	fin.SetReleaseResultCaps(false)
	switch {
	case a.ours:
		s.answers.drop(a)
	case a.users > 0:
		a.finish = msg
	default:
		s.pass(msg)
		s.answers.drop(a)
	}
	if release {
		for _, id := range a.exports {
			if err := s.giveUp(id, 1, nil); err != nil {
				return err
			}
		}
	}
	if wasFull {
		s.admit()
	}
	return nil
}

// giveUp handles the peer's release of references to one of our capabilities. The library sees the release only after
// the waiting messages that refer to the capability. msg, if not nil, is a Release of exactly these references.
func (s *state) giveUp(id, count uint32, msg *capnp.Message) error {
	now, err := s.exports.release(id, count)
	switch {
	case err != nil || !now:
		return err
	case msg == nil:
		msg = releaseMessage(id, count)
	}
	s.pass(msg)
	return nil
}
