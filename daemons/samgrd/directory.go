package samgrd

import (
	"sync"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/daemons/vat"
)

// maxNames bounds the names that are registered at one time: a slot's 256 bundles, twice over, and the daemons.
const maxNames = 1024

// A directory is the table as it is shared by all connections. It owns the capabilities in it.
type directory struct {
	changed *vat.Notifier // after each registration

	mu    sync.Mutex
	table table[capnp.Client]
}

func newDirectory() *directory {
	return &directory{changed: vat.NewNotifier(), table: newTable[capnp.Client]()}
}

// register takes the service over and puts it under the name, in place of an earlier one.
func (d *directory) register(name string, service capnp.Client) (ticket, error) {
	d.mu.Lock()
	if _, _, known := d.table.get(name); !known && len(d.table.entries) >= maxNames {
		d.mu.Unlock()
		service.Release()
		return 0, exc.New(exc.Overloaded, "", "cannot register: too many names")
	}
	issued, old, replaced := d.table.put(name, service)
	d.mu.Unlock()
	if replaced {
		old.Release() // may call its provider, so never under the lock
	}
	d.changed.Notify()
	return issued, nil
}

// remove ends a registration, unless a later one took its place.
func (d *directory) remove(name string, issued ticket) bool {
	d.mu.Lock()
	service, removed := d.table.remove(name, issued)
	d.mu.Unlock()
	if removed {
		service.Release()
	}
	return removed
}

// get returns a reference to the service under a name, which the caller releases.
func (d *directory) get(name string) (service capnp.Client, issued ticket, found bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	service, issued, found = d.table.get(name)
	if !found {
		return capnp.Client{}, 0, false
	}
	return service.AddRef(), issued, true
}

// has tells whether something stands behind a name.
func (d *directory) has(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _, found := d.table.get(name)
	return found
}

// list returns the registered names that are allowed, in byte order.
func (d *directory) list(allowed func(string) bool) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.table.names(allowed)
}
