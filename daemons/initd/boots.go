package initd

import (
	"context"
	"errors"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
)

// Why the gatekeeper starts over.
var (
	errFollow = errors.New("the record can no longer be followed")
	errLate   = errors.New("the record has moved on")
)

// A bootWord is what the record says of the boot.
type bootWord struct {
	boot  uint64        // the number of the attempt that is due or under way
	pause time.Duration // how long the first attempt of a boot that begins like this is held back
}

// followBoot returns what the record says of the boot, now and after each change; only the newest is kept. The channel is closed when
// updated no longer tells.
func (s *system) followBoot(ctx context.Context) (<-chan bootWord, error) {
	var boots chan bootWord
	err := s.holdings["UpdateStatus"].Call(ctx, func(client capnp.Client) error {
		boots = make(chan bootWord, 1)
		observer := &bootObserver{boots: boots}
		answer, release := update.UpdateStatus(client).Follow(ctx, func(p update.UpdateStatus_follow_Params) error {
			return p.SetObserver(update.StatusObserver_ServerToClient(observer))
		})
		defer release()
		res, err := answer.Struct()
		if err != nil {
			return err
		}
		subscription := res.Subscription().AddRef()
		context.AfterFunc(ctx, subscription.Release)
		return nil
	})
	return boots, err
}

// A bootObserver keeps the newest word.
type bootObserver struct {
	mu    sync.Mutex
	over  bool
	boots chan bootWord
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
	o.boots <- bootWord{status.Boot(), milliseconds(status.PauseMs())}
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
