package logd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Run is the daemon's life. The journal lives as long as it.
func Run(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	console, err := b.File(ctx, "console")
	if err != nil {
		return err
	}
	l := newLedger(host.Clock, console)

	b.Serve("LogSink", func(c vat.Client) capnp.Client {
		s := &sink{ledger: l, sender: c.Name}
		if len(c.Grants) == 1 {
			s.children = c.Grants[0]
		}
		return capnp.Client(journal.LogSink_ServerToClient(s))
	})
	b.Serve("Journal", func(vat.Client) capnp.Client {
		return capnp.Client(journal.Journal_ServerToClient(&reader{ledger: l, follows: follows()}))
	})
	self := journal.Journal_ServerToClient(&reader{ledger: l, follows: follows()})
	defer self.Release()
	b.OnPing(func() { vat.Served(self.Stats(ctx, nil)) })
	if err := b.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
