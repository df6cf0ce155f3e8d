package samgrd

import (
	"context"

	"nexus/capnpgen/registry"
	"nexus/daemons/vat"
)

// maxWatches bounds the watches of one client, including those through attenuated managers.
const maxWatches = 64

// A watch keeps one observer up to date on one name.
type watch struct {
	directory *directory
	name      string // empty: it is not granted, and nobody has that name
	observer  registry.NameObserver
	told      ticket
}

// tell sends the observer the service registered under the name, unless it has it already.
func (w *watch) tell(ctx context.Context) (more bool, err error) {
	service, issued, found := w.directory.get(w.name)
	if !found {
		return false, nil
	}
	defer service.Release()
	if issued == w.told {
		return false, nil
	}
	answer, release := w.observer.OnRegistered(ctx, func(p registry.NameObserver_onRegistered_Params) error {
		return p.SetService(service.AddRef())
	})
	defer release()
	_, err = answer.Struct()
	w.told = issued
	return false, err
}

// watches returns the quota for one client's watches.
func watches() *vat.Quota { return vat.NewQuota("watches", maxWatches) }
