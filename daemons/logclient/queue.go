package logclient

import (
	"context"
	"errors"
	"slices"
	"sync"

	"nexus/capnpgen/journal"
	"nexus/daemons/vat"
)

// Bounds of a queue, in entries.
const (
	maxQueue = 256 // waiting and under way together
	maxBatch = 64  // under way in one call
)

// errClosed ends the wait for what will not come any more.
var errClosed = errors.New("log is closed")

// A queue holds, in order, what logd has not taken yet. It is bounded: when it is full, the oldest plain message makes
// room, and only when there is none an older audit record or crash report does.
type queue struct {
	changed *vat.Notifier

	mu      sync.Mutex
	waiting []numbered // oldest first
	sending int        // the first so many are under way: they stay until logd has answered
	last    uint64     // number of the newest entry ever added
	dropped uint64     // entries lost that logd does not know of
	closed  bool
}

// A numbered entry has its place in the order of all that was ever said.
type numbered struct {
	number uint64
	entry  Entry
}

func newQueue() *queue { return &queue{changed: vat.NewNotifier()} }

// add never waits. Once the queue is closed it has no effect.
func (q *queue) add(e Entry) {
	q.mu.Lock()
	if !q.closed {
		q.last++
		if len(q.waiting) < maxQueue || q.makeRoom(e.Kind) {
			q.waiting = append(q.waiting, numbered{q.last, e.cut()})
		}
	}
	q.mu.Unlock()
	q.changed.Notify()
}

// makeRoom drops one entry for a new one of this kind; false means that the new one is the one to drop.
func (q *queue) makeRoom(newcomer journal.Kind) bool {
	q.dropped++
	free := q.waiting[q.sending:]
	victim := slices.IndexFunc(free, func(n numbered) bool { return n.entry.Kind == journal.Kind_message })
	if victim < 0 {
		if newcomer == journal.Kind_message {
			return false
		}
		victim = 0
	}
	q.waiting = slices.Delete(q.waiting, q.sending+victim, q.sending+victim+1)
	return true
}

// A batch is what goes to logd in one call.
type batch struct {
	entries []Entry
	dropped uint64 // how many were lost before or between them
}

// next waits for entries and returns the oldest. They stay in the queue until settle. It fails once the queue is closed
// and empty, and with ctx.
func (q *queue) next(ctx context.Context) (batch, error) {
	for {
		changed := q.changed.Next()
		b, closed := q.begin()
		switch {
		case len(b.entries) > 0:
			return b, nil
		case closed:
			return batch{}, errClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return batch{}, ctx.Err()
		}
	}
}

func (q *queue) begin() (b batch, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sending = min(len(q.waiting), maxBatch)
	for _, n := range q.waiting[:q.sending] {
		b.entries = append(b.entries, n.entry)
	}
	b.dropped = q.dropped
	return b, q.closed
}

// settle removes a batch: logd has it, or refused it for good and it is lost.
func (q *queue) settle(b batch, delivered bool) {
	q.mu.Lock()
	if delivered {
		q.dropped -= b.dropped
	} else {
		q.dropped += uint64(len(b.entries))
	}
	q.waiting = slices.Delete(q.waiting, 0, len(b.entries))
	q.sending = 0
	q.mu.Unlock()
	q.changed.Notify()
}

// flush waits until everything that was said before the call is settled. It fails once the queue is closed, and with
// ctx.
func (q *queue) flush(ctx context.Context) error {
	until := q.newest()
	for {
		changed := q.changed.Next()
		settled, closed := q.settled(until)
		switch {
		case closed:
			return errClosed
		case settled:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *queue) newest() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.last
}

func (q *queue) settled(until uint64) (settled, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0 || q.waiting[0].number > until, q.closed
}

// close lets what waits go out and takes nothing more.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.changed.Notify()
}
