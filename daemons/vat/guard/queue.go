package guard

import "capnproto.org/go/capnp/v3"

// A queue holds messages of the peer that the library must not see yet, in order of arrival. Calls on an answer that
// had not returned could end the process, never return or reach the wrong object (go-capnp #617, #613, #604, #521).
type queue struct {
	items  []*item
	lanes  map[lane]int // number of items in each
	others int          // items that are not calls: Returns and Disembargoes
}

// An item is one message of the peer, which may have to wait before the library sees it.
type item struct {
	msg  *capnp.Message
	size int
	call *answer // its question; nil for a Return or Disembargo

	question uint32 // for a Return: our question

	target *answer // the answer it is addressed to, if any,
	fields []uint16
	export uint32 // or else the capability

	lane lane // its lane while it waits

	exports  []uint32   // our capabilities that it refers to, including its target's
	promised []promised // those of its capabilities that are in answers
	imports  []uint32   // the library's ids for the peer's capabilities in it
}

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

// unreachable returns why a call has no capability to go to, or "". If the answer itself failed, the library has the
// better error.
func (it *item) unreachable() string {
	switch a := it.target; {
	case a == nil:
		return ""
	case a.cancelled:
		return "the call that it builds on was cancelled"
	case a.ours && a.failed:
		return "the call that it builds on failed"
	case a.failed:
		return ""
	}
	if _, found := it.target.at(it.fields); !found {
		return "the answer holds no capability there"
	}
	return ""
}

// add makes an item wait.
func (q *queue) add(it *item) {
	if it.call == nil {
		q.others++
	}
	q.enter(it)
	q.items = append(q.items, it)
}

func (q *queue) enter(it *item) {
	if it.flows() {
		it.lane = laneOf(it)
		q.lanes[it.lane]++
	}
}

func (q *queue) exit(it *item) {
	if !it.flows() {
		return
	}
	if q.lanes[it.lane]--; q.lanes[it.lane] == 0 {
		delete(q.lanes, it.lane)
	}
}

// behind reports whether an item that has just arrived would overtake others.
func (q *queue) behind(it *item) bool { return it.flows() && q.lanes[laneOf(it)] > 0 }

// relane moves the items that wait for an answer that has just returned to the lanes of the capabilities in it.
func (q *queue) relane(a *answer) {
	for _, it := range q.items {
		if it.target == a {
			q.exit(it)
			q.enter(it)
		}
	}
}
