package samgrd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Run runs the daemon until ctx ends. The directory is lost with the process; providers register again with its next
// instance.
func Run(ctx context.Context, b *vat.Endowments, _ plat.Host) error {
	log := logclient.New("samgrd", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)
	d := newDirectory()
	initd := b.Use("Introducer")

	b.Serve("ServiceManager", func(c vat.Client) capnp.Client {
		m := &manager{directory: d, introduce: introduce(initd, c.Name), grant: grant(c.Grants), watches: watches()}
		return capnp.Client(registry.ServiceManager_ServerToClient(m))
	})
	b.Serve("Registrar", func(c vat.Client) capnp.Client {
		if len(c.Grants) != 1 {
			log.Error("cannot serve registrar: it needs one name", "client", c.Name, "names", len(c.Grants))
			return capnp.Client{}
		}
		return capnp.Client(registry.Registrar_ServerToClient(&registrar{d, log, c.Grants[0]}))
	})
	b.Serve("BundleRegistrar", func(vat.Client) capnp.Client {
		return capnp.Client(registry.BundleRegistrar_ServerToClient(&bundleRegistrar{d, log}))
	})
	self := registry.ServiceManager_ServerToClient(&manager{directory: d})
	defer self.Release()
	b.OnPing(func() { vat.Served(self.List(ctx, nil)) })
	if err := b.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
