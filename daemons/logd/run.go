package logd

import (
	"context"
	"strings"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Run is the daemon's life. The journal lives as long as it or, where the system has state, goes on after it.
func Run(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	console, err := b.File(ctx, "console")
	if err != nil {
		return err
	}
	l := newLedger(host.Clock, console)
	if err := l.openArchive(ctx, b); err != nil {
		return err
	}

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

// journalInState begins the value of the setting `journal` if a part of the journal is kept in the state folder. After
// it comes the id of this boot. Any other value keeps all of it in memory.
const journalInState = "statefs"

// openArchive has the journal kept on disk, where the system has state.
func (l *ledger) openArchive(ctx context.Context, b *vat.Endowments) error {
	values, err := b.Setting(ctx, "journal")
	if err != nil {
		return err
	}
	where, boot, _ := strings.Cut(strings.Join(values, " "), " ")
	if where != journalInState {
		close(l.takenUp)
		return nil
	}
	l.archive = &archive{ledger: l, bootID: boot[:min(len(boot), maxBootID)], hurry: make(chan struct{}, 1)}
	go l.archive.run(ctx, b.Use("StateFs"))
	return nil
}
