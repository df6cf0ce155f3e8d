package initd

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/capnpgen/vote"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// endow makes a newborn daemon what its row says: resources first, then a link for each edge whose other end lives.
// Edges to a daemon that is dead now are made when that one starts.
func (s *system) endow(c *child, process plat.Process, parent *vat.Parent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.process, c.parent = process, parent
	err := s.grantResources(c.row, parent)
	delete(s.introduced, c.row.Name) // this life has asked for nothing yet
	if c.row.Name == runner {
		s.forgetBundles()
	}
	for _, row := range s.table {
		for _, edge := range slices.Concat(row.Holds, s.introduced[row.Name]) {
			if row.Name == c.row.Name || edge.From == c.row.Name {
				err = errors.Join(err, s.link(row.Name, edge))
			}
		}
	}
	for _, edge := range c.row.Holds {
		if s.revoked[linkKey{c.row.Name, edge.Facet}] {
			err = errors.Join(err, parent.Revoke(edge.Facet))
		}
	}
	err = errors.Join(err, s.linkSessions(c.row.Name))
	if err != nil {
		// It would live without something its row grants. Its next life gets all of it.
		s.log.Warn("cannot endow daemon", "daemon", c.row.Name, "error", err)
		first, _, _ := strings.Cut(err.Error(), "\n")
		c.endowed = errors.New(first)
		process.Kill()
	}
}

// linkSessions makes the links again that those outside have with a daemon.
func (s *system) linkSessions(daemon string) (err error) {
	for name := range s.sessions {
		for _, edge := range s.introduced[name] {
			if edge.From == daemon {
				err = errors.Join(err, s.link(name, edge))
			}
		}
	}
	return err
}

// forgetBundles forgets the links of bundles, which end with the daemon that ran them. The lock is held.
func (s *system) forgetBundles() {
	maps.DeleteFunc(s.links, func(key linkKey, l *link) bool { return isBundle(key.holder) || isBundle(l.edge.From) })
}

func (s *system) grantResources(row Daemon, parent *vat.Parent) error {
	var errs []error
	for _, name := range row.Settings {
		errs = append(errs, parent.GrantSetting(name, s.settings[name]))
	}
	for _, name := range row.Files {
		if f := s.files[name]; f != nil {
			errs = append(errs, parent.GrantFile(name, f))
		}
	}
	for _, name := range row.Dirs {
		if dir := s.dirs[name]; dir != nil || name != groupsDir {
			errs = append(errs, parent.GrantDir(name, dir))
		}
	}
	return errors.Join(errs...)
}

// A link is one connection that initd made between two daemons, or between itself and one.
type link struct {
	number uint64 // counted from 1 over the system's life
	edge   Edge
	made   time.Time
	pause  time.Duration // how long to wait before it is made again
	healed bool          // its end was reported, so it is on its way to be made again
	own    *vat.Conn     // initd's connection, where initd is an end; else nil
}

// A linkKey names a link by what it is good for. Under one key there is one link at a time, the newest.
type linkKey struct{ holder, facet string }

// link connects a holder with the provider of one edge by a fresh socket, if both live. The system's lock is held.
func (s *system) link(holder string, edge Edge) error {
	if !s.alive(holder) || !s.alive(edge.From) || s.withheld(holder, edge) {
		return nil
	}
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	defer theirs.Close()
	s.lastLink++
	l := &link{number: s.lastLink, edge: edge, made: s.host.Clock.Now(), pause: firstPause}
	s.links[linkKey{holder, edge.Facet}] = l
	client := s.clientOf(holder, edge)
	return errors.Join(
		s.grantServe(l, client, theirs),
		s.grantUse(holder, l, ours),
	)
}

func (s *system) alive(name string) bool {
	if name == initName || s.sessions[name] != nil {
		return true
	}
	daemon, _ := by(name)
	c := s.children[daemon]
	return c != nil && c.parent != nil
}

// grantServe gives the provider its end. What initd itself serves it serves at once.
func (s *system) grantServe(l *link, client vat.Client, socket *os.File) error {
	if l.edge.From != initName {
		daemon, onward := by(l.edge.From)
		return s.children[daemon].parent.PassServe(onward, l.edge.Facet, client, l.number, socket)
	}
	conn, err := s.connect(client.Name, socket, s.serveOwn(l.edge.Facet))
	l.own = conn
	return err
}

// grantUse gives the holder its end. What initd itself holds, or those outside, goes into holdings here.
func (s *system) grantUse(holder string, l *link, socket *os.File) error {
	holding := s.holdingOf(holder, l.edge.Facet)
	if holding == nil {
		daemon, onward := by(holder)
		return s.children[daemon].parent.PassUse(onward, l.edge.Facet, l.edge.From, l.number, socket)
	}
	conn, err := s.connect(l.edge.From, socket, capnp.Client{})
	if err != nil {
		return err
	}
	holding.Renew(conn)
	l.own = conn
	go func() {
		<-conn.Done()
		s.linkEnded(holder, vat.Ended{Facet: l.edge.Facet, Link: l.number})
	}()
	return nil
}

// serveOwn is what initd serves to daemons by itself.
func (s *system) serveOwn(facet string) capnp.Client {
	switch facet {
	case "HealthVote":
		return capnp.Client(vote.HealthVote_ServerToClient(&voter{ballot: s.ballot, finish: s.finishSelftest}))
	case "BundleIntroducer":
		return capnp.Client(registry.BundleIntroducer_ServerToClient(&bundleIntroducer{s}))
	case "Introducer":
		return capnp.Client(registry.Introducer_ServerToClient(&introducer{s}))
	default:
		return capnp.Client{}
	}
}

// connect speaks RPC with a daemon over a copy of the socket; the caller keeps its own.
func (s *system) connect(peer string, socket *os.File, bootstrap capnp.Client) (*vat.Conn, error) {
	copied, err := vat.Socket(socket)
	if err != nil {
		bootstrap.Release()
		return nil, err
	}
	return vat.Connect(copied, bootstrap, s.refuses(peer)), nil
}

// refuses logs that a peer lost its connection for what it sent.
func (s *system) refuses(peer string) guard.Option {
	return guard.Observe(func(reason guard.Reason) { s.log.Refused(peer, reason) })
}
