package bundlemgrd

import (
	"context"

	"nexus/capnpgen/bundle"
	"nexus/libupdates/bootctl"
)

// A watch tells one observer what is published.
type watch struct {
	shelf    *shelf
	observer bundle.PublicationObserver
	told     *publication
}

// tell hands the observer what is published, unless that is nothing or what it was told.
func (w *watch) tell(ctx context.Context) (more bool, err error) {
	current := w.shelf.now()
	if current == w.told || current.slot == bootctl.None {
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
