package packagefsd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/packagefs"
	"nexus/capnpgen/registry"
	"nexus/daemons/logs"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Run is the daemon's life.
func Run(ctx context.Context, b *vat.Birth, _ plat.Host) error {
	log := logs.New("packagefsd", b.Use("LogSink"))
	defer log.Close()
	v := newView(b.Use("BundleMgr"))

	b.Serve("PackageFs", func(vat.Client) capnp.Client { return serve(v) })
	if err := b.Ready(); err != nil {
		return err
	}
	b.Use("Registrar").Each(ctx, func(ctx context.Context, client capnp.Client) {
		if err := register(ctx, registry.Registrar(client), v); err != nil && ctx.Err() == nil {
			log.Warn("cannot register", "error", err)
		}
	})
	return nil
}

func serve(v *view) capnp.Client {
	return capnp.Client(packagefs.PackageFs_ServerToClient(&server{v}))
}

// register puts the view under its name for one life of samgrd.
func register(ctx context.Context, registrar registry.Registrar, v *view) error {
	answer, release := registrar.Register(ctx, func(p registry.Registrar_register_Params) error {
		return p.SetService(serve(v))
	})
	defer release()
	if _, err := answer.Struct(); err != nil {
		return err
	}
	<-ctx.Done() // the registration lasts as long as its answer is held
	return nil
}
