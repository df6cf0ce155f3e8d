package initd

import (
	"context"
	"errors"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/libupdates/health"
)

// errFollow is why the record is followed anew.
var errFollow = errors.New("the record can no longer be followed")

// followRecord tells of each change of the record, until ctx ends.
func (k *keeper) followRecord(ctx context.Context) {
	k.s.holdings["UpdateStatus"].Each(ctx, func(ctx context.Context, client capnp.Client) {
		for {
			err := k.observe(ctx, update.UpdateStatus(client))
			if !rest(ctx, k.s.host.Clock) {
				return // updated is on its way back
			}
			k.s.log.Warn("cannot follow the record", "error", err)
		}
	})
}

// observe follows the record for as long as it is told.
func (k *keeper) observe(ctx context.Context, status update.UpdateStatus) error {
	boots := make(chan health.Recorded, 1)
	answer, release := status.Follow(ctx, func(p update.UpdateStatus_follow_Params) error {
		return p.SetObserver(update.StatusObserver_ServerToClient(&bootObserver{boots: boots}))
	})
	defer release() // the subscription lasts as long as its answer is held
	if _, err := answer.Struct(); err != nil {
		return err
	}
	for {
		select {
		case word, following := <-boots:
			if !following {
				return errFollow
			}
			k.tell(ctx, word)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A bootObserver keeps the newest word.
type bootObserver struct {
	mu    sync.Mutex
	over  bool
	boots chan health.Recorded
}

// OnChanged takes a state.
func (o *bootObserver) OnChanged(_ context.Context, call update.StatusObserver_onChanged) error {
	status, err := call.Args().Status()
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return nil
	}
	select {
	case <-o.boots:
	default:
	}
	o.boots <- health.Recorded{Boot: status.Boot(), Pause: milliseconds(status.PauseMs())}
	return nil
}

// Shutdown runs when updated has let go of the observer.
func (o *bootObserver) Shutdown() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.over {
		o.over = true
		close(o.boots)
	}
}

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
