package vat

import (
	"context"
	"errors"
	"time"

	"capnproto.org/go/capnp/v3"
)

// ObserverPatience is how long an observer may take to answer one call. One that takes longer loses its place: it is
// called no more, and let go, by which it learns of it.
const ObserverPatience = 10 * time.Second

// A Feed tells observers of one client what changes.
type Feed struct {
	Changed *Notifier     // wakes it
	Quota   *Quota        // of the client's observers
	Slow    time.Duration // patience with one call; 0: ObserverPatience
}

// A Tell hands an observer what is new to it, with at most one call. It says whether there is more to tell at once.
type Tell func(ctx context.Context) (more bool, err error)

// Follow has tell called now and after each change, until it fails, the observer takes too long, or the subscription
// that is returned is dropped. At most one call is under way, and changes meanwhile are one: an observer that is slow
// misses states, and keeps nobody else waiting. It takes the observer over.
func (f Feed) Follow(observer capnp.Client, tell Tell) (*Subscription, error) {
	if !observer.IsValid() {
		return nil, errors.New("cannot subscribe: the observer is null")
	}
	if err := f.Quota.Take(); err != nil {
		observer.Release()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer f.Quota.Give()
		defer observer.Release()
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

// parts is into how many parts the patience with an observer is divided. A process that was stopped loses one of them,
// so the answer that has come meanwhile is still taken.
const parts = 4

// patiently tells once, and gives up an observer that does not answer.
func (f Feed) patiently(ctx context.Context, tell Tell) (more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go f.giveUp(ctx, cancel)
	return tell(ctx)
}

// giveUp cancels a call that is still under way when the patience with it is at an end.
func (f Feed) giveUp(ctx context.Context, cancel context.CancelFunc) {
	slow := f.Slow
	if slow == 0 {
		slow = ObserverPatience
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

// A Subscription is what a subscriber holds: a feed lasts as long as it. It is the server of every capability of that
// kind.
type Subscription struct{ cancel context.CancelFunc }

// Shutdown runs when the subscriber dropped it, or died.
func (s *Subscription) Shutdown() { s.cancel() }
