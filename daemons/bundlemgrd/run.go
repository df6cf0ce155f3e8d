package bundlemgrd

import (
	"context"
	"os"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/daemons/discovery"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/durable"
)

// Run runs the daemon until ctx ends. At first nothing is published; the owner of the boot record decides what is.
func Run(ctx context.Context, b *vat.Endowments, _ plat.Host) error {
	log := logclient.New("bundlemgrd", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)
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
	manager := func(hand func(*os.File) error) capnp.Client {
		return capnp.Client(bundle.BundleMgr_ServerToClient(newManager(s, hand)))
	}
	b.Serve("BundleMgr", func(c vat.Client) capnp.Client { return manager(c.Hand) })
	go discovery.Offer(ctx, b, "BundleMgr", log, func(vat.Client) capnp.Client { return manager(nil) })
	self := bundle.BundleMgr(manager(nil))
	defer self.Release()
	b.OnPing(func() { vat.Served(self.List(ctx, nil)) })
	if err := b.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
