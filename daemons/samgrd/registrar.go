package samgrd

import (
	"context"
	"errors"

	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/libupdates/nxb"
)

// A registrar is the right to register one name.
type registrar struct {
	directory *directory
	log       *logclient.Log
	name      string
}

// Register registers a service under the name, until the returned registration is dropped.
func (r *registrar) Register(_ context.Context, call registry.Registrar_register) error {
	service := call.Args().Service()
	if !service.IsValid() {
		return errors.New("cannot register: the service is null")
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	issued, err := r.directory.register(r.name, service.AddRef())
	if err != nil {
		return err
	}
	r.log.Debug("registered", "name", r.name)
	return res.SetRegistration(registry.Registration_ServerToClient(&registration{of: r, ticket: issued}))
}

// A registration keeps a name registered until it is dropped.
type registration struct {
	of     *registrar
	ticket ticket
}

// Shutdown runs when the provider has dropped the registration or has died.
func (r *registration) Shutdown() {
	if r.of.directory.remove(r.of.name, r.ticket) {
		r.of.log.Debug("removed", "name", r.of.name)
	}
}

// A bundleRegistrar is the right to make registrars for bundles.
type bundleRegistrar struct {
	directory *directory
	log       *logclient.Log
}

// ForBundle makes a registrar for the name of one bundle.
func (b *bundleRegistrar) ForBundle(_ context.Context, call registry.BundleRegistrar_forBundle) error {
	bundle, err := call.Args().Bundle()
	if err != nil {
		return err
	}
	if err := nxb.CheckName(bundle); err != nil {
		return convert.Except(err)
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	bound := &registrar{b.directory, b.log, bundlePrefix + bundle}
	return res.SetRegistrar(registry.Registrar_ServerToClient(bound))
}
