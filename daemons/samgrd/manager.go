package samgrd

import (
	"context"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// maxAttenuation bounds the names of one attenuation (schema/registry.capnp).
const maxAttenuation = 64

// errUnknownName is the one answer for a name that is not granted and for one that nobody registered.
var errUnknownName = convert.Except(refusal.New(refusal.UnknownName,
	"no service has this name, or the name is not granted"))

// A manager is the ServiceManager of one client.
type manager struct {
	directory *directory
	introduce introduction // of the client to whom the daemon served this manager, or the one it was attenuated from
	grant     grant
	watches   *vat.Quota // shared with every manager attenuated from this one
}

// Get looks up a name.
func (m *manager) Get(_ context.Context, call registry.ServiceManager_get) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	if !m.grant.allows(name) {
		return errUnknownName
	}
	service, _, found := m.directory.get(name)
	if !found {
		return errUnknownName
	}
	res, err := call.AllocResults()
	if err != nil {
		service.Release()
		return err
	}
	return res.SetService(service)
}

// List names what is granted and registered.
func (m *manager) List(_ context.Context, call registry.ServiceManager_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return vat.SetTexts(res.NewNames, m.directory.list(m.grant.allows))
}

// Watch tells an observer of the registrations of a name. A name that is not granted can be watched like one that
// nobody registers: nothing is ever heard of it.
func (m *manager) Watch(_ context.Context, call registry.ServiceManager_watch) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	observer := call.Args().Observer().AddRef()
	w := &watch{directory: m.directory, name: name, observer: observer, mute: !m.grant.allows(name)}
	subscription, err := vat.Feed{Changed: m.directory.changed, Quota: m.watches}.Follow(capnp.Client(observer), w.tell)
	if err != nil {
		return err
	}
	return res.SetSubscription(registry.NameSubscription_ServerToClient(subscription))
}

// Attenuate makes a manager that knows fewer names.
func (m *manager) Attenuate(_ context.Context, call registry.ServiceManager_attenuate) error {
	list, err := call.Args().Names()
	if err != nil {
		return err
	}
	if list.Len() > maxAttenuation {
		return fmt.Errorf("cannot attenuate: %d names are over the %d of one call", list.Len(), maxAttenuation)
	}
	names, err := vat.Texts(list)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	smaller := &manager{directory: m.directory, introduce: m.introduce, grant: m.grant.narrow(names),
		watches: m.watches}
	return res.SetManager(registry.ServiceManager_ServerToClient(smaller))
}
