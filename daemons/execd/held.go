package execd

import (
	"context"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/discovery"
	"nexus/daemons/vat"
)

// managerFacet is the facet with which a program looks up names.
const managerFacet = "ServiceManager"

// heldPatience is how long to wait for a link before asking for it again: its provider may have died while the link was
// made.
const heldPatience = time.Second

// A heldLink is a link that execd holds for a program: to a service that the program finds by `get`, or to the
// ServiceManager with which it looks up names. Each belongs to one program, so calls that it leaves open do not count
// against other programs (docs/architecture/waiting.md).
type heldLink struct {
	holding *vat.Holding

	mu   sync.Mutex
	over bool
	conn *vat.Conn // the newest
	link uint64    // its number
}

// set stores the newest connection, unless the program has ended.
func (h *heldLink) set(p vat.ForwardedLink, ended func()) {
	conn := p.Use(h.holding, ended)
	h.mu.Lock()
	over := h.over
	h.conn, h.link = conn, p.Link()
	h.mu.Unlock()
	if over && conn != nil {
		conn.Close()
	}
}

// close ends it, and returns the number of the newest link.
func (h *heldLink) close() uint64 {
	h.mu.Lock()
	h.over = true
	conn, link := h.conn, h.link
	h.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
	return link
}

// heldFor returns the program's held link for a facet, or nil once the program has ended.
func (l *links) heldFor(facet string) *heldLink {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	h := l.held[facet]
	if h == nil {
		h = &heldLink{holding: vat.NewHolding(facet)}
		l.held[facet] = h
	}
	return h
}

// keep stores a link that is held for the program.
func (l *links) keep(p vat.ForwardedLink) {
	h := l.heldFor(p.Facet())
	if h == nil || p.Serves() {
		p.Close()
		return
	}
	h.set(p, func() {
		if !l.forwarder.returns(p.Facet()) {
			l.forwarder.ended(p.Facet(), p.Link())
		}
	})
}

// find returns what is registered under a name, or the program's own ServiceManager, over a held link. The caller
// releases it. If the provider is restarting, find waits for it as long as the program may find the name.
func (m *manager) find(ctx context.Context, name, facet string, may func() bool) (capnp.Client, error) {
	h := m.program.links.heldFor(facet)
	if h == nil {
		return capnp.Client{}, errUnknownName
	}
	if client, there := h.holding.Now(); there {
		return client, nil
	}
	answered, err := h.holding.Ask(ctx)
	if err != nil {
		return capnp.Client{}, err
	}
	defer answered()
	for may() {
		if client, there := h.holding.Now(); there {
			return client, nil
		}
		if err := m.awaitBundle(ctx, name); err != nil {
			return capnp.Client{}, err
		}
		if err := m.program.links.pace(ctx, facet+heldMark); err != nil {
			return capnp.Client{}, err
		}
		direct, err := m.introducer.introduce(ctx, m.program.name+heldMark, name)
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

// awaitHeld waits briefly for a link.
func awaitHeld(ctx context.Context, h *vat.Holding) (capnp.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, heldPatience)
	defer cancel()
	return h.Get(ctx)
}

// service returns what is registered under a name.
func (m *manager) service(ctx context.Context, name string) (capnp.Client, error) {
	return m.find(ctx, name, discovery.Facet(name), func() bool { return m.mayFind(name) })
}

// services returns the program's own ServiceManager.
func (m *manager) services(ctx context.Context) (capnp.Client, error) {
	return m.find(ctx, managerFacet, managerFacet, func() bool { return true })
}
