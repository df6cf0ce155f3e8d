package links

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/daemons/vat"
)

// A Session is one connection from outside. It has its own links to the daemons whose facets it was given, so what it
// leaves open or unanswered there counts against nobody else (docs/architecture/waiting.md). They are ordinary links:
// made again when they end, and cut with their holder.
type Session struct {
	links *Links
	role  string
	has   []string // the methods of Operator that it has
	name  string   // as a holder of links

	connection string   // for the audit log, as in vat.Client
	givenUp    []string // the same
	whole      *Session // what an attenuated session is a part of; nil: nothing was given up

	// Guarded by the lock of the Links.
	holdings map[string]*vat.Holding // by facet; nil once the session has ended
	direct   map[*Session]struct{}   // the holders of its direct links
	lesser   map[string]*Session     // what links attenuated Operators have, by what they gave up

	// For the holder of a direct link, which is a session of its own with one link:
	parent *Session
	out    chan *os.File // gets the link's end for the peer
}

// sessionMark is the prefix of a session's name as a holder of links.
const sessionMark = "operator:"

// isSession reports whether an end of a link is a session.
func isSession(end string) bool { return strings.HasPrefix(end, sessionMark) }

// OpenSession starts a session with these methods, under the name of its role. It lasts until End. The key is that of
// an operator who came in over the network, for the audit log, or empty.
func (l *Links) OpenSession(role string, methods []string, key string) *Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.open(role, methods)
	o.connection = strings.TrimSpace(fmt.Sprint(l.lastSession, " ", key))
	return o
}

// maxLesser bounds the different attenuations of one session that have links (schema/operator.capnp).
const maxLesser = 8

// Without returns the session as an Operator has it that gave up these methods. Its links are its own, so that its
// providers know what was given up. It ends with the session.
func (o *Session) Without(methods []string) *Session {
	if len(methods) == 0 {
		return o
	}
	lesser := &Session{links: o.links, role: o.role, has: o.has, connection: o.connection, whole: cmp.Or(o.whole, o)}
	lesser.givenUp = append(slices.Clone(o.givenUp), strings.Join(methods, ","))
	return lesser
}

// Client returns the session's peer, as the providers of its links know it.
func (o *Session) Client() vat.Client {
	return vat.Client{Name: o.role, Grants: o.has, Connection: o.connection, GivenUp: o.givenUp}
}

// holder returns the session that has the links: that of an attenuated one is made when it is needed first. The lock is
// held.
func (o *Session) holder() (*Session, error) {
	if o.whole == nil {
		return o, nil
	}
	name := strings.Join(o.givenUp, ";")
	if known := o.whole.lesser[name]; known != nil {
		return known, nil
	}
	switch {
	case o.whole.holdings == nil:
		return nil, errOver
	case len(o.whole.lesser) >= maxLesser:
		return nil, exc.New(exc.Overloaded, "", fmt.Sprintf("too many attenuations in use: the limit is %d", maxLesser))
	}
	h := o.links.open(o.role, o.has)
	h.connection, h.givenUp = o.connection, o.givenUp
	o.whole.lesser[name] = h
	return h, nil
}

// errOver is why nothing is linked to a session whose connection has ended.
var errOver = errors.New("cannot hand out facet: the connection has ended")

// open is OpenSession with the lock held.
func (l *Links) open(role string, methods []string) *Session {
	l.lastSession++
	name := fmt.Sprintf("%s%s#%d", sessionMark, role, l.lastSession)
	o := &Session{links: l, role: role, has: methods, name: name, holdings: map[string]*vat.Holding{},
		direct: map[*Session]struct{}{}, lesser: map[string]*Session{}}
	l.fabric.ends.sessions[o.name] = o
	return o
}

// End cuts the session's links.
func (o *Session) End() {
	o.links.mu.Lock()
	defer o.links.mu.Unlock()
	o.links.fabric.end(o)
}

// end ends a session and its direct links.
func (f *fabric) end(o *Session) {
	o.holdings = nil
	delete(f.ends.sessions, o.name)
	delete(f.introduced, o.name)
	f.dropWhere(func(k key, _ *link) bool { return k.holder == o.name })
	for d := range o.direct {
		f.end(d)
	}
	for _, lesser := range o.lesser {
		f.end(lesser)
	}
	if o.parent == nil {
		return
	}
	delete(o.parent.direct, o)
	select {
	case end := <-o.out: // nobody is waiting for it
		end.Close()
	default:
	}
}

// handOutPatience is how long an operator waits for a facet whose daemon is starting.
const handOutPatience = 10 * time.Second

// HandOut returns a facet over the session's own link to its daemon. The caller releases it.
func (o *Session) HandOut(ctx context.Context, facet string) (capnp.Client, error) {
	holding, err := o.hold(facet)
	if err != nil {
		return capnp.Client{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, handOutPatience)
	defer cancel()
	return holding.Get(ctx)
}

// hold returns the session's holding of a facet. The first time it is linked: now if the daemon runs, or else at its
// next start.
func (o *Session) hold(facet string) (*vat.Holding, error) {
	o.links.mu.Lock()
	defer o.links.mu.Unlock()
	f := &o.links.fabric
	edge, granted := f.rights.table.edge(Operators, facet)
	o, err := o.holder()
	switch {
	case err != nil:
		return nil, err
	case o.holdings == nil:
		return nil, errOver
	case o.holdings[facet] != nil:
		return o.holdings[facet], nil
	case !granted:
		return nil, fmt.Errorf("cannot hand out %s: nobody serves it", facet)
	}
	o.holdings[facet] = vat.NewHolding(facet)
	if err := f.link(o.name, edge); err != nil {
		delete(o.holdings, facet)
		return nil, err
	}
	f.introduced[o.name] = append(f.introduced[o.name], edge)
	return o.holdings[facet], nil
}
