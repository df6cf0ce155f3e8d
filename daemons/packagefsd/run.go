package packagefsd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/packagefs"
	"nexus/daemons/discovery"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Run runs the daemon until ctx ends.
func Run(ctx context.Context, b *vat.Endowments, _ plat.Host) error {
	log := logclient.New("packagefsd", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)
	v := newView(b.Use("BundleMgr"))

	view := func(c vat.Client) capnp.Client {
		return capnp.Client(packagefs.PackageFs_ServerToClient(&server{v.forClient(c.Name)}))
	}
	b.Serve("PackageFs", view)
	self := packagefs.PackageFs_ServerToClient(&server{v})
	defer self.Release()
	b.OnPing(func() { vat.Served(self.Stat(ctx, nowhere)) })
	if err := b.Ready(); err != nil {
		return err
	}
	discovery.Offer(ctx, b, "PackageFs", log, view)
	return nil
}

// nowhere sets a path that this daemon answers without bundlemgrd, since liveness must not depend on bundlemgrd.
func nowhere(p packagefs.PackageFs_stat_Params) error { return p.SetPath(".") }
