package initd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat"
)

// A session is one connection from outside. It has links of its own to the daemons whose facets it was handed, so what
// it leaves open or unanswered there counts against nobody else (docs/architecture/waiting.md). They are links like all
// others: made again when they end, and cut with their holder.
type session struct {
	s    *system
	role string
	has  []string // the methods of Operator that it came in with
	name string   // as a holder of links

	holdings map[string]*vat.Holding // by facet; nil once the session has ended. The system's lock guards it.
}

// sessionMark begins the name that a session has as a holder of links.
const sessionMark = "operator:"

// isSession tells whether an end of a link is a session.
func isSession(end string) bool { return strings.HasPrefix(end, sessionMark) }

// openSession begins a session that has these methods, under the name of its role. It lasts until end.
func (s *system) openSession(role string, methods []string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastSession++
	name := fmt.Sprintf("%s%s#%d", sessionMark, role, s.lastSession)
	o := &session{s: s, role: role, has: methods, name: name, holdings: map[string]*vat.Holding{}}
	s.sessions[o.name] = o
	return o
}

// end cuts the session's links.
func (o *session) end() {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	o.holdings = nil
	delete(o.s.sessions, o.name)
	delete(o.s.introduced, o.name)
	for key := range o.s.links {
		if key.holder == o.name {
			o.s.drop(key)
		}
	}
}

// handOutPatience is how long an operator waits for a facet whose daemon is starting.
const handOutPatience = 10 * time.Second

// handOut returns a facet over the session's own link to its daemon. The caller releases it.
func (o *session) handOut(ctx context.Context, facet string) (capnp.Client, error) {
	holding, err := o.hold(facet)
	if err != nil {
		return capnp.Client{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, handOutPatience)
	defer cancel()
	return holding.Get(ctx)
}

// hold returns the session's holding of a facet, which is linked now if that is the first time and its daemon runs,
// else at its next start.
func (o *session) hold(facet string) (*vat.Holding, error) {
	s := o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	edge, granted := edgeOf(s.table, operatorsName, facet)
	switch {
	case o.holdings == nil:
		return nil, errors.New("cannot hand out facet: the connection has ended")
	case o.holdings[facet] != nil:
		return o.holdings[facet], nil
	case !granted:
		return nil, fmt.Errorf("cannot hand out %s: nobody serves it", facet)
	}
	o.holdings[facet] = vat.NewHolding(facet)
	if err := s.link(o.name, edge); err != nil {
		delete(o.holdings, facet)
		return nil, err
	}
	s.introduced[o.name] = append(s.introduced[o.name], edge)
	return o.holdings[facet], nil
}

// clientOf is the holder of a link as its provider knows it: of a session, its role and what it may do.
func (s *system) clientOf(holder string, edge Edge) vat.Client {
	if o := s.sessions[holder]; o != nil {
		return vat.Client{Name: o.role, Grants: o.has}
	}
	return vat.Client{Name: holder, Grants: s.grantsOf(holder, edge)}
}

// holdingOf is where a link that ends in this process puts what it leads to; nil for a link of another holder.
func (s *system) holdingOf(holder, facet string) *vat.Holding {
	if o := s.sessions[holder]; o != nil {
		return o.holdings[facet]
	}
	if holder == initName {
		return s.holdings[facet]
	}
	return nil
}
