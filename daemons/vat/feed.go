package vat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"
)

// observerPatience is how long an observer may take to answer one call. An observer that takes longer gets no more
// calls and is released, which tells it that its subscription has ended.
const observerPatience = 10 * time.Second

// A Feed keeps the observers of one client up to date.
type Feed struct {
	Changed *Notifier     // announces changes
	Quota   *Quota        // of the client's observers
	Slow    time.Duration // how long one call may take; 0: observerPatience
	Over    func()        // called once the observer gets no more calls; nil: nobody wants to know
}

// A Tell sends an observer what is new to it, with at most one call. It returns whether there is more to send at once.
type Tell func(ctx context.Context) (more bool, err error)

// Follow calls tell now and after each change, until tell fails, the observer takes too long, or the returned
// subscription is dropped. At most one call is in flight, and changes during a call are merged: a slow observer misses
// states but delays no other observer. Follow takes ownership of observer.
func (f Feed) Follow(observer capnp.Client, tell Tell) (*Subscription, error) {
	over := f.Over
	if over == nil {
		over = func() {}
	}
	if !observer.IsValid() {
		over()
		return nil, errors.New("cannot subscribe: the observer is null")
	}
	if err := f.Quota.Take(); err != nil {
		over()
		observer.Release()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer f.Quota.Give()
		defer observer.Release()
		defer over()
		defer cancel()
		f.run(ctx, tell)
	}()
	return &Subscription{cancel}, nil
}

func (f Feed) run(ctx context.Context, tell Tell) {
	for {
		next := f.Changed.Next()
		more, err := f.patiently(ctx, tell)
		switch {
		case err != nil:
			return
		case more:
			continue
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// parts is the number of timers into which the wait for an observer is split. A daemon that was stopped for a while
// loses only one of them, so it still receives an answer that arrived meanwhile.
const parts = 4

// patiently calls tell once, and cancels it if the observer does not answer in time.
func (f Feed) patiently(ctx context.Context, tell Tell) (more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go f.giveUp(ctx, cancel)
	return tell(ctx)
}

// giveUp cancels the call if it is still in flight when its time is up.
func (f Feed) giveUp(ctx context.Context, cancel context.CancelFunc) {
	slow := f.Slow
	if slow == 0 {
		slow = observerPatience
	}
	for range parts {
		select {
		case <-time.After(slow / parts):
		case <-ctx.Done():
			return
		}
	}
	cancel()
}

// A Subscription keeps a feed running until it is dropped. It serves every kind of subscription capability.
type Subscription struct{ cancel context.CancelFunc }

// Shutdown runs when the subscriber has dropped the capability or has died.
func (s *Subscription) Shutdown() { s.cancel() }

// A Quota limits how many things of one kind a client may have. There is one per link, so that a client cannot use up
// what the others may have.
type Quota struct {
	what  string // what is counted, in the plural
	limit int32
	used  atomic.Int32
}

// NewQuota returns a quota that allows limit things at one time.
func NewQuota(what string, limit int32) *Quota { return &Quota{what: what, limit: limit} }

// Take counts one more, or fails as overloaded.
func (q *Quota) Take() error {
	if q.used.Add(1) > q.limit {
		q.used.Add(-1)
		return exc.New(exc.Overloaded, "", fmt.Sprintf("too many open %s: the limit is %d", q.what, q.limit))
	}
	return nil
}

// Give gives one back.
func (q *Quota) Give() { q.used.Add(-1) }

// A Notifier wakes goroutines that wait for a change. Changes between two waits are merged. The zero value is ready to
// use.
type Notifier struct {
	mu   sync.Mutex
	wake chan struct{} // nil: nobody waits
}

// NewNotifier returns a Notifier.
func NewNotifier() *Notifier { return &Notifier{} }

// Notify wakes all current waiters.
func (n *Notifier) Notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wake != nil {
		close(n.wake)
		n.wake = nil
	}
}

// Next returns a channel that is closed at the next change. Call it before looking at the state that may change.
func (n *Notifier) Next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wake == nil {
		n.wake = make(chan struct{})
	}
	return n.wake
}
