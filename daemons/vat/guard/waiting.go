package guard

import (
	"capnproto.org/go/capnp/v3"
)

// A lane is one capability or one answer. Messages in the same lane must not overtake each other.
type lane struct {
	answer *answer
	export uint32
}

// laneOf returns an item's lane. A place in an answer that holds one of our capabilities belongs to that capability's
// lane.
func laneOf(it *item) lane {
	if it.target == nil {
		return lane{export: it.export}
	}
	if p, found := it.target.at(it.fields); found && p.ours {
		return lane{export: p.export}
	}
	return lane{answer: it.target}
}

// flows reports whether the item must keep its place in a lane. Returns need not.
func (it *item) flows() bool { return it.call != nil || it.target != nil }

// known reports whether each answer that the item refers to has returned, or never will.
func (it *item) known() bool {
	if it.target != nil && !it.target.over() {
		return false
	}
	for _, p := range it.promised {
		if !p.answer.over() {
			return false
		}
	}
	return true
}

func (a *answer) over() bool { return a.stage == returned || a.cancelled }

// submit gives the item to the library, or makes it wait.
func (g *Guard) submit(it *item) {
	if !it.known() || it.call != nil && g.full() || it.flows() && g.lanes[laneOf(it)] > 0 {
		g.park(it)
		return
	}
	g.deliver(it)
}

// park makes an item wait. What it refers to is kept until it has gone.
func (g *Guard) park(it *item) {
	if it.target != nil {
		it.target.users++
	}
	for _, p := range it.promised {
		p.answer.users++
	}
	for _, id := range it.exports {
		g.exports[id].users++
	}
	if it.call == nil {
		g.others++
	}
	g.enter(it)
	g.waiting = append(g.waiting, it)
}

func (g *Guard) enter(it *item) {
	if it.flows() {
		it.lane = laneOf(it)
		g.lanes[it.lane]++
	}
}

func (g *Guard) exit(it *item) {
	if !it.flows() {
		return
	}
	if g.lanes[it.lane]--; g.lanes[it.lane] == 0 {
		delete(g.lanes, it.lane)
	}
}

// relane moves the items that wait for an answer that has just returned to the lanes of the capabilities in it.
func (g *Guard) relane(a *answer) {
	for _, it := range g.waiting {
		if it.target == a {
			g.exit(it)
			g.enter(it)
		}
	}
}

// admit delivers the items that no longer have to wait, in order of arrival.
func (g *Guard) admit() {
	var behind map[lane]bool // lanes of the items passed over
	kept := g.waiting[:0]
	for i, it := range g.waiting {
		if g.full() && g.others == 0 {
			kept = append(kept, g.waiting[i:]...)
			break
		}
		if it.call != nil && g.full() || !it.known() || it.flows() && behind[it.lane] {
			if behind == nil {
				behind = map[lane]bool{}
			}
			behind[it.lane] = behind[it.lane] || it.flows()
			kept = append(kept, it)
			continue
		}
		g.leave(it, g.deliver)
	}
	clear(g.waiting[len(kept):])
	g.waiting = kept
}

// leave ends an item's wait: do sends it on its way, and later items may follow.
func (g *Guard) leave(it *item, do func(*item)) {
	if it.call == nil {
		g.others--
	}
	g.exit(it)
	do(it)
	if it.target != nil {
		g.unuse(it.target)
	}
	for _, p := range it.promised {
		g.unuse(p.answer)
	}
	for _, id := range it.exports {
		e := g.exports[id]
		e.users--
		if e.users == 0 && e.owed > 0 {
			g.pass(releaseMessage(id, e.owed))
			e.owed = 0
		}
		g.tidy(id, e)
	}
	g.move()
}

func (g *Guard) unuse(a *answer) {
	a.users--
	if a.users == 0 && a.finish != nil {
		g.pass(a.finish)
		a.finish = nil
		g.drop(a)
	}
}

// deliver gives the library an item whose answers are all known. A call that can reach nothing gets its exception here.
func (g *Guard) deliver(it *item) {
	for _, p := range it.promised {
		if p.answer.ours || p.answer.cancelled {
			p.descriptor.SetNone()
		}
	}
	if it.call != nil {
		if why := it.unreachable(); why != "" {
			g.reject(it, why)
			return
		}
		it.call.stage = computing
		g.computing++
	}
	it.msg.ResetReadLimit(readLimit(it.size))
	g.pass(it.msg)
}

// unreachable returns why a call has no capability to go to, or "". If the answer itself failed, the library has the
// better error.
func (it *item) unreachable() string {
	switch a := it.target; {
	case a == nil:
		return ""
	case a.cancelled:
		return "the call that it builds on was cancelled"
	case a.ours:
		return "the call that it builds on failed"
	case a.failed:
		return ""
	}
	if _, found := it.target.at(it.fields); !found {
		return "the answer holds no capability there"
	}
	return ""
}

// reject answers a call that the library must not see with an exception, and releases the capabilities in its
// parameters.
func (g *Guard) reject(it *item, why string) {
	a := it.call
	a.stage, a.ours = returned, true
	g.callBytes -= a.callBytes
	g.returned++
	g.send(exceptionMessage(a.wire, why))
	g.giveBack(it)
	if a.cancelled {
		delete(g.asked, a.wire)
		g.drop(a)
	}
}

// giveBack releases the peer's capabilities in an item.
func (g *Guard) giveBack(it *item) {
	for _, local := range it.imports {
		if wire, known := g.forget(local); known {
			g.send(releaseMessage(wire, 1))
		}
	}
}

// withdraw removes the waiting call of an answer from the queue.
func (g *Guard) withdraw(a *answer) {
	for i, it := range g.waiting {
		if it.call == a {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			g.leave(it, func(it *item) { g.reject(it, "cancelled") })
			return
		}
	}
}

// send queues one of the guard's own messages for the peer.
func (g *Guard) send(msg *capnp.Message) {
	g.outbox = append(g.outbox, msg)
	if !g.flushing {
		g.flushing = true
		go g.flush()
	}
}

// flush writes the guard's own messages until none are left.
func (g *Guard) flush() {
	for {
		g.mu.Lock()
		if len(g.outbox) == 0 || g.refused != nil {
			g.flushing = false
			g.outbox = nil
			g.mu.Unlock()
			return
		}
		msg := g.outbox[0]
		g.outbox = g.outbox[1:]
		g.mu.Unlock()
		g.write(msg, false)
		msg.Release()
	}
}
