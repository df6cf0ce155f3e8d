package discovery

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
)

// registrarFacet is the right to register one name.
const registrarFacet = "Registrar"

// Offer offers a service under the daemon's name until ctx ends. It serves each client that gets a link, and registers
// with each instance of samgrd for the clients that call through samgrd, of whom nobody is known: the client is the
// zero value. Each call of serve makes a capability, which Offer owns.
func Offer(ctx context.Context, b *vat.Endowments, name string, log *logclient.Log,
	serve func(vat.Client) capnp.Client) {
	b.Serve(Facet(name), serve)
	b.Use(registrarFacet).Each(ctx, func(ctx context.Context, client capnp.Client) {
		if err := register(ctx, registry.Registrar(client), serve); err != nil && ctx.Err() == nil {
			log.Warn("cannot register", "name", name, "error", err)
		}
	})
}

// register registers the service with one instance of samgrd. The registration lasts as long as its answer is held.
func register(ctx context.Context, registrar registry.Registrar, serve func(vat.Client) capnp.Client) error {
	answer, release := registrar.Register(ctx, func(p registry.Registrar_register_Params) error {
		return p.SetService(serve(vat.Client{}))
	})
	defer release()
	if _, err := answer.Struct(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
