package links

import (
	"errors"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// A Config is what New needs.
type Config struct {
	Table   []Row
	Own     map[string]*vat.Holding         // what initd itself holds
	Serve   func(facet string) capnp.Client // what initd itself serves
	Clock   plat.Clock
	Backoff plat.Backoff // pauses before a link is made again
	Log     *logclient.Log
	Ledger  Ledger // nil: nobody is told
}

// A Ledger records each revocation and grant before it takes effect. If it returns an error, nothing takes effect.
type Ledger interface {
	Revoke(client, service string) error
	Grant(client, service string) error
}

// Links are all links of a system, and who may have them. Its methods are safe for concurrent use. Each takes the lock,
// and none waits for a daemon while it has it.
type Links struct {
	backoff plat.Backoff
	clock   plat.Clock
	log     *logclient.Log
	ledger  Ledger
	down    chan struct{} // closed before the daemons are stopped

	mu          sync.Mutex
	fabric      fabric
	lastSession uint64 // the number of the newest
}

// New returns the links of a system in which nothing runs yet.
func New(c Config) *Links {
	l := &Links{backoff: c.Backoff, clock: c.Clock, log: c.Log, ledger: c.Ledger, down: make(chan struct{})}
	l.fabric = fabric{
		rights: rights{table: c.Table, revoked: map[key]bool{}},
		ends: ends{
			channels: map[string]*vat.Parent{}, sessions: map[string]*Session{},
			own: c.Own, serve: c.Serve, log: c.Log, ended: l.Ended,
		},
		clock: c.Clock,
		links: map[key]*link{}, introduced: map[string][]Edge{},
	}
	return l
}

// Endow makes the links of a daemon, whose new instance has this channel. If it returns an error, the instance lacks
// something that it is granted.
func (l *Links) Endow(daemon string, channel *vat.Parent) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fabric.endow(daemon, channel)
}

// Died records that an instance of a daemon has ended. It has no links until the next instance is endowed.
func (l *Links) Died(daemon string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.fabric.ends.channels, daemon)
}

// Stop is called before the daemons are stopped. From then on links that end are not made again.
func (l *Links) Stop() { close(l.down) }

// AwaitLock returns once the lock is free. If it never is, links can no longer be made.
func (l *Links) AwaitLock() {
	l.mu.Lock()
	defer l.mu.Unlock()
}

// Granted returns the table less what was revoked.
func (l *Links) Granted() []Row {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fabric.rights.granted()
}

// Revoke takes a service from a client until the system stops, by its name in the graph: a facet of its row, a name
// that it may look up, or both. Bundles lose what the daemon that runs them loses. The error is ErrNoLink if the client
// has no such link.
func (l *Links) Revoke(client, service string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fabric
	keys, err := f.rights.marks(client, service)
	if err != nil {
		return err
	}
	fresh, err := f.rights.revoke(client, keys)
	if err != nil {
		return err
	}
	if len(fresh) > 0 && l.ledger != nil {
		if err := l.ledger.Revoke(client, service); err != nil {
			f.rights.unmark(fresh)
			return err
		}
	}
	return errors.Join(f.dropWithheld(), f.renew(client, fresh))
}

// Grant undoes Revoke: links of the table, and those that daemons have looked up, are made again. Bundles look theirs
// up again.
func (l *Links) Grant(client, service string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fabric
	keys, err := f.rights.marks(client, service)
	if err != nil {
		return err
	}
	if l.ledger != nil {
		if err := l.ledger.Grant(client, service); err != nil {
			return err
		}
	}
	keys = f.rights.unmark(keys)
	return errors.Join(f.renew(client, keys), f.linkMissing())
}

// Withhold starts a client without what was revoked from it under the previous core. What this core's table does not
// grant is ignored.
func (l *Links) Withhold(client, service string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys, _ := l.fabric.rights.marks(client, service)
	for _, k := range keys {
		l.fabric.rights.revoked[k] = true
	}
}
