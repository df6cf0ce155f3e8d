package patchd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/patch"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Run runs the daemon until ctx ends.
func Run(ctx context.Context, b *vat.Endowments, _ plat.Host) error {
	log := logclient.New("patchd", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)

	s := &server{turn: make(chan struct{}, 1)}
	b.Serve("Patcher", func(vat.Client) capnp.Client { return capnp.Client(patch.Patcher_ServerToClient(s)) })
	self := patch.Patcher_ServerToClient(s)
	defer self.Release()
	b.OnPing(func() { vat.Served(self.Apply(ctx, nothing)) })
	if err := b.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// nothing sets no patch, which is refused at once.
func nothing(patch.Patcher_apply_Params) error { return nil }
