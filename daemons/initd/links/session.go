package links

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"capnproto.org/go/capnp/v3"

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

	// Guarded by the lock of the Links.
	holdings map[string]*vat.Holding // by facet; nil once the session has ended
	direct   map[*Session]struct{}   // the holders of its direct links

	// For the holder of a direct link, which is a session of its own with one link:
	parent *Session
	out    chan *os.File // gets the link's end for the peer
}

// sessionMark is the prefix of a session's name as a holder of links.
const sessionMark = "operator:"

// isSession reports whether an end of a link is a session.
func isSession(end string) bool { return strings.HasPrefix(end, sessionMark) }

// OpenSession starts a session with these methods, under the name of its role. It lasts until End.
func (l *Links) OpenSession(role string, methods []string) *Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open(role, methods)
}

// open is OpenSession with the lock held.
func (l *Links) open(role string, methods []string) *Session {
	l.lastSession++
	name := fmt.Sprintf("%s%s#%d", sessionMark, role, l.lastSession)
	o := &Session{links: l, role: role, has: methods, name: name, holdings: map[string]*vat.Holding{},
		direct: map[*Session]struct{}{}}
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
	switch {
	case o.holdings == nil:
		return nil, errors.New("cannot hand out facet: the connection has ended")
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
