package bundlemgrd

import (
	"context"

	"nexus/capnpgen/bundle"
	"nexus/libupdates/bootctl"
)

// A watch keeps one observer up to date.
type watch struct {
	shelf    *shelf
	observer bundle.PublicationObserver
	told     *publication
}

// tell sends the observer the current publication, unless there is none or the observer has it already.
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
