package bundlemgrd

import (
	"context"
	"sync/atomic"

	"nexus/capnpgen/bundle"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
)

// A shelf holds the current publication. It is swapped as a whole, so that a reader never sees parts of two.
type shelf struct {
	changed *vat.Notifier // notified after each publication
	current atomic.Pointer[publication]
}

func newShelf() *shelf {
	s := &shelf{changed: vat.NewNotifier()}
	s.current.Store(&publication{})
	return s
}

// now returns the current publication.
func (s *shelf) now() *publication { return s.current.Load() }

// put replaces the current publication by next. Open blobs stay open.
func (s *shelf) put(next *publication) {
	s.current.Store(next)
	s.changed.Notify()
}

// A watch keeps one observer up to date.
type watch struct {
	shelf    *shelf
	observer bundle.PublicationObserver
	told     *publication
}

// tell sends the observer the current publication, unless it has that already, or there never was one to tell it.
func (w *watch) tell(ctx context.Context) (more bool, err error) {
	current := w.shelf.now()
	if current == w.told || w.told == nil && current.slot == bootctl.None && len(current.apps) == 0 {
		return false, nil
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
	w.told = current
	return false, err
}
