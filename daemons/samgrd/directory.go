package samgrd

import (
	"sync"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/daemons/vat"
)

// maxNames bounds the registered names: twice the 256 bundles of a slot, and the daemons.
const maxNames = 1024

// A directory is the table shared by all connections. It owns the capabilities in it.
type directory struct {
	changed *vat.Notifier // notified after each registration

	mu    sync.Mutex
	table table[capnp.Client]
}

func newDirectory() *directory {
	return &directory{changed: vat.NewNotifier(), table: newTable[capnp.Client]()}
}

// register puts the service under the name, replacing an earlier one. It takes ownership of service.
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
		old.Release() // may call its provider, so it must not happen under the lock
	}
	d.changed.Notify()
	return issued, nil
}

// remove ends a registration, unless a later one has replaced it.
func (d *directory) remove(name string, issued ticket) bool {
	d.mu.Lock()
	service, removed := d.table.remove(name, issued)
	d.mu.Unlock()
	if removed {
		service.Release()
	}
	return removed
}

// get returns a reference to the service with this name, which the caller releases.
func (d *directory) get(name string) (service capnp.Client, issued ticket, found bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	service, issued, found = d.table.get(name)
	if !found {
		return capnp.Client{}, 0, false
	}
	return service.AddRef(), issued, true
}

// has reports whether a service is registered under the name.
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
