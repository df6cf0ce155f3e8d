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

// Run is the daemon's life.
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

// tell says what was found in the folder, and records what was done about it.
func tell(log *logclient.Log, notes []store.Note) {
	for _, note := range notes {
		log.Warn("state folder", "note", note.Text)
		if note.Mended {
			reason := string(refusal.StateDamaged)
			log.Audit(logclient.Audit{Op: "mend", Result: logclient.ResultOK, Reason: reason, Detail: note.Text})
		}
	}
}

// noKey is a key that is refused before the disk is asked: one that stands still is no reason to end the daemon, whose
// next life would have the same.
func noKey(p statefs.StateReader_get_Params) error { return p.SetKey("") }

// granted returns the keys of the one prefix that was granted; nil where there is none, or more than one.
func granted(state *store.Store, grants []string) *store.Prefix {
	if len(grants) != 1 {
		return nil
	}
	return state.Prefix(grants[0])
}

// An UnusableError says that the folder is not one for state of this system. Starting again cannot help, and going on
// without what was to be remembered would break a promise.
type UnusableError struct{ Err error }

func (e *UnusableError) Error() string { return e.Err.Error() }
func (e *UnusableError) Unwrap() error { return e.Err }

// open takes up the folder. A disk that fails is another matter than a folder that is not ours: that may pass.
func open(fs durable.FS) (*store.Store, error) {
	state, err := store.Open(fs)
	switch refusal.Of(err) {
	case refusal.ForeignState, refusal.BadSchemaVersion:
		return nil, &UnusableError{err}
	}
	return state, err
}
