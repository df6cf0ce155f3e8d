package links

import (
	"errors"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// A Config is what links are made of.
type Config struct {
	Table   []Row
	Own     map[string]*vat.Holding         // what initd itself holds
	Serve   func(facet string) capnp.Client // what initd itself serves
	Clock   plat.Clock
	Backoff plat.Backoff // pauses before a link is made again
	Log     *logclient.Log
	Ledger  Ledger // nil: nobody is told
}

// A Ledger is told of each revocation and each grant before it takes effect. An error has it not take effect.
type Ledger interface {
	Revoke(client, service string) error
	Grant(client, service string) error
}

// Links are all links of a system, and who may have them. Its methods may be called by anybody at any time: each takes
// the lock, and none waits for a daemon while it has that.
type Links struct {
	backoff plat.Backoff
	clock   plat.Clock
	log     *logclient.Log
	ledger  Ledger
	down    chan struct{} // closed when the daemons are about to be stopped

	mu          sync.Mutex
	fabric      fabric
	lastSession uint64 // the number of the newest
}

// New returns the links of a system of which nothing runs yet.
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

// Endow makes the links of a daemon, whose new instance has this channel. An error says that it does not have all that
// it is granted.
func (l *Links) Endow(daemon string, channel *vat.Parent) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fabric.endow(daemon, channel)
}

// Died says that an instance of a daemon has ended: it is linked with nobody until the next is endowed.
func (l *Links) Died(daemon string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.fabric.ends.channels, daemon)
}

// Stop says that the daemons are about to be stopped: from then on a link that ends stays ended.
func (l *Links) Stop() { close(l.down) }

// AwaitLock returns once nobody else has the lock. Where that never comes, nothing is linked any more.
func (l *Links) AwaitLock() {
	l.mu.Lock()
	defer l.mu.Unlock()
}

// Granted is the table less what was revoked.
func (l *Links) Granted() []Row {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fabric.rights.granted()
}

// Revoke takes what the graph shows under a word from a client until the system stops: a facet of its row, a name that
// it may look up, or both where the word is one of each. What the daemon that runs bundles loses, they lose. The error
// is ErrNoLink where the client holds no link by that word.
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

// Grant undoes Revoke: the links of the table, and those that were introduced to daemons, are made again. Bundles ask
// again for theirs.
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

// Withhold has a client begin without what was revoked from it under the core before. What the table of this core does
// not have needs no revocation.
func (l *Links) Withhold(client, service string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys, _ := l.fabric.rights.marks(client, service)
	for _, k := range keys {
		l.fabric.rights.revoked[k] = true
	}
}
