package samgrd

import (
	"context"
	"errors"

	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/libupdates/nxb"
)

// A registrar is the right to stand behind one name.
type registrar struct {
	directory *directory
	log       *logclient.Log
	name      string
}

// Register puts a service under the name. It stays until the registration it returns is dropped.
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

// A registration keeps a name as long as it is held.
type registration struct {
	of     *registrar
	ticket ticket
}

// Shutdown runs when the provider dropped the registration, or died.
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

// ForBundle makes a registrar bound to the name of one bundle.
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
