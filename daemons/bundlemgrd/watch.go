package bundlemgrd

import (
	"context"

	"nexus/capnpgen/bundle"
	"nexus/libupdates/bootctl"
)

// A watch tells one observer what is published. At most one call to the observer is under way, and what it missed meanwhile is one
// publication, the newest: an observer that never answers costs itself this one call, until its subscription ends.
type watch struct {
	shelf    *shelf
	observer bundle.PublicationObserver
	quota    *quota
	cancel   context.CancelFunc
}

// start begins to tell, and returns the subscription that ends it.
func (w *watch) start() bundle.PublicationSubscription {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go w.run(ctx)
	return bundle.PublicationSubscription_ServerToClient(w)
}

// Shutdown runs when the subscriber dropped the subscription, or died.
func (w *watch) Shutdown() { w.cancel() }

func (w *watch) run(ctx context.Context) {
	defer w.quota.give()
	defer w.observer.Release()
	var told *publication
	for {
		next := w.shelf.changed.Next()
		current, err := w.tell(ctx, told)
		if err != nil {
			return
		}
		told = current
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// tell hands the observer what is published, unless that is nothing or what it was told, and returns what it knows now.
func (w *watch) tell(ctx context.Context, told *publication) (current *publication, err error) {
	current = w.shelf.now()
	if current == told || current.slot == bootctl.None {
		return current, nil
	}
	answer, release := w.observer.OnPublished(ctx, func(p bundle.PublicationObserver_onPublished_Params) error {
		m, err := p.NewPublication()
		if err != nil {
			return err
		}
		return current.fill(m)
	})
	defer release()
	_, err = answer.Struct()
	return current, err
}
