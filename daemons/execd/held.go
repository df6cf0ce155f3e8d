package execd

import (
	"context"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/discovery"
	"nexus/daemons/vat"
)

// managerFacet is the right to look names up.
const managerFacet = "ServiceManager"

// heldPatience is how long a link may take to come before it is asked for again: its provider may have died when it was
// made.
const heldPatience = time.Second

// A heldLink is a link of a program's own that this daemon holds for it: what the program finds by `get`, and what it
// looks names up by. It is one program's, so what that leaves open at the other end counts against nobody else
// (docs/architecture/waiting.md).
type heldLink struct {
	holding *vat.Holding
	asking  chan struct{} // a token for who asks for it

	mu   sync.Mutex
	over bool
	conn *vat.Conn // the newest
}

// set takes the newest connection, unless the program has ended.
func (h *heldLink) set(p vat.ForwardedLink) {
	conn := p.Use(h.holding)
	h.mu.Lock()
	over := h.over
	h.conn = conn
	h.mu.Unlock()
	if over && conn != nil {
		conn.Close()
	}
}

func (h *heldLink) close() {
	h.mu.Lock()
	h.over = true
	conn := h.conn
	h.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
}

// heldFor returns the program's held link for a facet; nil once the program has ended.
func (l *links) heldFor(facet string) *heldLink {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	h := l.held[facet]
	if h == nil {
		h = &heldLink{holding: vat.NewHolding(facet), asking: make(chan struct{}, 1)}
		l.held[facet] = h
	}
	return h
}

// keep takes a link that is held for the program.
func (l *links) keep(p vat.ForwardedLink) {
	h := l.heldFor(p.Facet())
	if h == nil || p.Serves() {
		p.Close()
		return
	}
	h.set(p)
}

// find returns what is registered under a name, or the program's own ServiceManager, over a link that is held for it.
// The caller releases it. It waits for a provider that is on its way back, as long as the program may find the name.
func (m *manager) find(ctx context.Context, name, facet string, may func() bool) (capnp.Client, error) {
	h := m.program.links.heldFor(facet)
	if h == nil {
		return capnp.Client{}, errUnknownName
	}
	if client, there := h.holding.Now(); there {
		return client, nil
	}
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-ctx.Done():
		return capnp.Client{}, ctx.Err()
	}
	for may() {
		if client, there := h.holding.Now(); there {
			return client, nil
		}
		if err := m.program.links.pace(ctx, facet+heldMark); err != nil {
			return capnp.Client{}, err
		}
		direct, err := m.sup.introduce(ctx, m.program.name+heldMark, name)
		if err != nil {
			return capnp.Client{}, err
		}
		if !direct {
			continue // its provider has died and is on its way back
		}
		if client, err := awaitHeld(ctx, h.holding); err == nil || ctx.Err() != nil {
			return client, err
		}
	}
	return capnp.Client{}, errUnknownName
}

// awaitHeld waits a moment for a link.
func awaitHeld(ctx context.Context, h *vat.Holding) (capnp.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, heldPatience)
	defer cancel()
	return h.Get(ctx)
}

// service finds what is registered under a name.
func (m *manager) service(ctx context.Context, name string) (capnp.Client, error) {
	return m.find(ctx, name, discovery.Facet(name), func() bool { return m.mayFind(name) })
}

// services finds the program's own ServiceManager.
func (m *manager) services(ctx context.Context) (capnp.Client, error) {
	return m.find(ctx, managerFacet, managerFacet, func() bool { return true })
}
