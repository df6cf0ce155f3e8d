package updateclient

import (
	"context"
	"errors"

	"nexus/capnpgen/update"
)

// ErrClosed says that updated has dropped an observer, or has ended.
var ErrClosed = errors.New("status subscription closed")

// Follow calls look with the status now and after each change, until look returns true, ctx ends or the subscription
// does. A slow look misses states, but not the newest.
func Follow(ctx context.Context, facet update.UpdateStatus, look func(Status) (enough bool)) error {
	o := &observer{states: make(chan Status, 1), gone: make(chan struct{})}
	answer, release := facet.Follow(ctx, func(p update.UpdateStatus_follow_Params) error {
		return p.SetObserver(update.StatusObserver_ServerToClient(o))
	})
	defer release() // the subscription lasts as long as its answer is held
	if _, err := answer.Struct(); err != nil {
		return err
	}
	for {
		select {
		case now := <-o.states:
			if look(now) {
				return nil
			}
		case <-o.gone:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// An observer keeps the newest status that nobody has looked at.
type observer struct {
	states chan Status   // holds one at most
	gone   chan struct{} // closed when updated has dropped the observer
}

// OnChanged takes a status; one that was not looked at makes room.
func (o *observer) OnChanged(_ context.Context, call update.StatusObserver_onChanged) error {
	now, err := Read(call.Args().Status())
	if err != nil {
		return err
	}
	select {
	case <-o.states:
	default:
	}
	o.states <- now // only this method sends, and calls on one object come one at a time
	return nil
}

// Shutdown runs when updated has dropped the observer or has died.
func (o *observer) Shutdown() { close(o.gone) }
