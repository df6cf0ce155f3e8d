package statefsd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/statefs"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
	store "nexus/libupdates/statefs"
)

// Run runs the daemon until ctx ends.
func Run(ctx context.Context, b *vat.Endowments, _ plat.Host) error {
	log := logclient.New("statefsd", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)

	root, err := b.Dir(ctx, "state")
	if err != nil {
		return err
	}
	defer root.Close()
	state, err := open(durable.OS(root))
	if err != nil {
		return err
	}
	report := func() { tell(log, state.Notes()) }
	report()
	b.Serve("StateFs", func(c vat.Client) capnp.Client {
		keys := granted(state, c.Grants)
		if keys == nil {
			log.Error("cannot serve state: it needs one prefix", "client", c.Name)
			return capnp.Client{}
		}
		return capnp.Client(statefs.StateFs_ServerToClient(&server{keys, report}))
	})
	self := statefs.StateFs_ServerToClient(&server{state.Prefix(store.Boot), report})
	defer self.Release()
	b.OnPing(func() { vat.Served(self.Get(ctx, noKey)) })
	if err := b.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// tell logs what was found in the folder and what was done about it.
func tell(log *logclient.Log, notes []store.Note) {
	for _, note := range notes {
		log.Warn("state folder", "note", note.Text)
		if note.Mended {
			reason := string(refusal.StateDamaged)
			log.Audit(logclient.Audit{Op: "mend", Result: logclient.ResultOK, Reason: reason, Detail: note.Text})
		}
	}
}

// noKey sets a key that is refused before the disk is accessed. A hanging disk is no reason to end the daemon, because
// its next instance would have the same disk.
func noKey(p statefs.StateReader_get_Params) error { return p.SetKey("") }

// granted returns the keys of the granted prefix, or nil unless exactly one prefix was granted.
func granted(state *store.Store, grants []string) *store.Prefix {
	if len(grants) != 1 {
		return nil
	}
	return state.Prefix(grants[0])
}

// An UnusableError reports that the folder does not hold state of this system. Restarting cannot help, and going on
// without the stored state would break a promise.
type UnusableError struct{ Err error }

func (e *UnusableError) Error() string { return e.Err.Error() }
func (e *UnusableError) Unwrap() error { return e.Err }

// open opens the folder. An error of the disk is not an UnusableError, because it may be temporary.
func open(fs durable.FS) (*store.Store, error) {
	state, err := store.Open(fs)
	switch refusal.Of(err) {
	case refusal.ForeignState, refusal.BadSchemaVersion:
		return nil, &UnusableError{err}
	}
	return state, err
}
