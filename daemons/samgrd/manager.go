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

// maxAttenuation bounds the names in one call of attenuate (schema/registry.capnp).
const maxAttenuation = 64

// errUnknownName is the answer for names that are not granted and for names that are not registered, so that a client
// cannot tell these apart.
var errUnknownName = convert.Except(refusal.New(refusal.UnknownName,
	"no service has this name, or the name is not granted"))

// A manager is one client's ServiceManager.
type manager struct {
	directory *directory
	introduce introduction // for the client that got this manager, or the one it was attenuated from
	grant     grant
	watches   *vat.Quota // shared with all managers attenuated from this one
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
	return vat.Give(call.AllocResults, registry.ServiceManager_get_Results.SetService, service)
}

// List returns the names that are granted and registered.
func (m *manager) List(_ context.Context, call registry.ServiceManager_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return vat.SetTexts(res.NewNames, m.directory.list(m.grant.allows))
}

// Watch subscribes an observer to the registrations of a name. A name that is not granted can be watched, too, but
// looks like one that is never registered.
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
	w := &watch{directory: m.directory, observer: observer}
	if m.grant.allows(name) {
		w.name = name
	}
	subscription, err := vat.Feed{Changed: m.directory.changed, Quota: m.watches}.Follow(capnp.Client(observer), w.tell)
	if err != nil {
		return err
	}
	return res.SetSubscription(registry.NameSubscription_ServerToClient(subscription))
}

// Attenuate makes a manager that allows fewer names.
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
