package samgrd

import (
	"context"
	"sync/atomic"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/registry"
)

// maxWatches bounds the watches of one client. execd watches for all bundles.
const maxWatches = 1024

// A quota counts the watches of one client.
type quota struct{ used atomic.Int32 }

func (q *quota) take() error {
	if q.used.Add(1) > maxWatches {
		q.used.Add(-1)
		return exc.New(exc.Overloaded, "", "cannot watch: too many watches")
	}
	return nil
}

func (q *quota) give() { q.used.Add(-1) }

// A watch tells one observer of one name. At most one call to the observer is under way, and what it missed meanwhile is one
// registration, the newest: an observer that never answers costs itself this one call, until its subscription ends.
type watch struct {
	directory *directory
	name      string
	observer  registry.NameObserver
	quota     *quota
	mute      bool // the name is not granted: say nothing
	cancel    context.CancelFunc
}

// start begins to tell, and returns the subscription that ends it.
func (w *watch) start() registry.NameSubscription {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go w.run(ctx)
	return registry.NameSubscription_ServerToClient(w)
}

// Shutdown runs when the subscriber dropped the subscription, or died.
func (w *watch) Shutdown() { w.cancel() }

func (w *watch) run(ctx context.Context) {
	defer w.quota.give()
	defer w.observer.Release()
	var told ticket
	for {
		next := w.directory.changed.Next()
		issued, err := w.tell(ctx, told)
		if err != nil {
			return
		}
		told = issued
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// tell hands the observer what stands behind the name, unless that is what it was told, and returns the ticket it knows now.
func (w *watch) tell(ctx context.Context, told ticket) (ticket, error) {
	if w.mute {
		return told, nil
	}
	service, issued, found := w.directory.get(w.name)
	if !found {
		return told, nil
	}
	defer service.Release()
	if issued == told {
		return told, nil
	}
	answer, release := w.observer.OnRegistered(ctx, func(p registry.NameObserver_onRegistered_Params) error {
		return p.SetService(service.AddRef())
	})
	defer release()
	_, err := answer.Struct()
	return issued, err
}
