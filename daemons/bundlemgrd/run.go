package bundlemgrd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/registry"
	"nexus/daemons/logs"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/durable"
)

// Run is the daemon's life. It begins with nothing published: who owns the boot record says what is.
func Run(ctx context.Context, b *vat.Birth, _ plat.Host) error {
	log := logs.New("bundlemgrd", b.Use("LogSink"))
	defer log.Close()
	root, err := b.Dir(ctx, "system")
	if err != nil {
		return err
	}
	defer root.Close()
	s := newShelf()
	p := newPublisher(durable.OS(root), log, s)
	b.Serve("SlotPublisher", func(vat.Client) capnp.Client {
		return capnp.Client(bundle.SlotPublisher_ServerToClient(p))
	})
	b.Serve("BundleMgr", func(vat.Client) capnp.Client {
		return capnp.Client(bundle.BundleMgr_ServerToClient(newManager(s)))
	})
	go b.Use("Registrar").Each(ctx, func(ctx context.Context, client capnp.Client) {
		if err := register(ctx, registry.Registrar(client), s); err != nil && ctx.Err() == nil {
			log.Warn("cannot register", "error", err)
		}
	})
	if err := b.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// register stands behind the daemon's name for one life of samgrd: the registration lasts as long as its answer is held.
func register(ctx context.Context, registrar registry.Registrar, s *shelf) error {
	answer, release := registrar.Register(ctx, func(p registry.Registrar_register_Params) error {
		return p.SetService(capnp.Client(bundle.BundleMgr_ServerToClient(newManager(s))))
	})
	defer release()
	if _, err := answer.Struct(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
