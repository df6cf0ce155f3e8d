package execd

import (
	"slices"
	"strings"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat"
)

// A forwarder passes links on to programs. If a program has a registered service but takes no links itself, the
// forwarder serves as its proxy.
type forwarder struct {
	ended func(facet string, link uint64) error // tells initd

	mu        sync.Mutex
	programs  map[string]*links    // by their names
	providers map[string]*provider // the services of the current publication, by their names
}

func newForwarder(ended func(facet string, link uint64) error) *forwarder {
	return &forwarder{ended: ended, programs: map[string]*links{}, providers: map[string]*provider{}}
}

func (c *forwarder) add(l *links) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.programs[l.name] = l
}

func (c *forwarder) remove(l *links) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.programs[l.name] == l {
		delete(c.programs, l.name)
	}
}

func (c *forwarder) program(name string) *links {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.programs[name]
}

// knows reports whether a bundle can be looked up, now or once its successor serves.
func (c *forwarder) knows(bundle string) bool { return c.offers(bundle) || c.successor(bundle) != nil }

// offers reports whether a bundle serves.
func (c *forwarder) offers(bundle string) bool {
	l := c.program(bundle)
	if l == nil {
		return false
	}
	service, there := l.offered()
	service.Release()
	return there
}

// heldMark is the suffix of a program's name on links that execd holds for it (daemons/initd).
const heldMark = "@execd"

// Carry passes a link on to its program, holds it for a program whose lookups go through execd, or serves it as a
// proxy. A link that cannot be delivered is closed, so that the client asks again.
func (c *forwarder) Carry(p vat.ForwardedLink) {
	name, held := strings.CutSuffix(p.For(), heldMark)
	l := c.program(name)
	switch {
	case l == nil && !held && p.Serves() && c.park(name, p):
	case l == nil:
		p.Close()
	case held:
		l.keep(p)
	case l.taken():
		l.pass(p)
	case p.Serves():
		l.stand(p)
	default:
		p.Close()
	}
}

// Cut ends a link of a program.
func (c *forwarder) Cut(link uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.programs {
		l.cut(link)
	}
	for _, p := range c.providers {
		p.parked = slices.DeleteFunc(p.parked, func(one vat.ForwardedLink) bool {
			if one.Link() == link {
				one.Close()
			}
			return one.Link() == link
		})
	}
}

// maxStanding bounds the proxied links to a program for one client. A link that has ended counts until the calls on it
// have returned, so a client that reconnects again and again has no more calls in progress than one that stays.
const maxStanding = 2

// stand serves as the proxy of a program that takes no links.
func (l *links) stand(p vat.ForwardedLink) {
	client := p.Peer()
	l.mu.Lock()
	full := l.standing[client] >= maxStanding
	if !full {
		l.standing[client]++
	}
	l.mu.Unlock()
	service, there := l.offered()
	if full || !there {
		service.Release()
		if full || !l.forwarder.park(l.name, p) {
			p.Close()
		}
		if !full {
			l.left(client)
		}
		return
	}
	conn := p.Serve(capnp.Client(service), l.hasEnded)
	if conn == nil {
		l.left(client)
		return
	}
	l.standFor(p.Link(), conn)
	go func() {
		<-conn.Done()
		l.left(client)
	}()
}

// standFor records a proxied link, which ends with the program.
func (l *links) standFor(link uint64, conn *vat.Conn) {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.proxied[link] = conn
	}
	l.mu.Unlock()
	if closed {
		conn.Close()
	}
}

// left records the end of a proxied link.
func (l *links) left(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.standing[client]--; l.standing[client] == 0 {
		delete(l.standing, client)
	}
}
