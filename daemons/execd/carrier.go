package execd

import (
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat"
)

// A carrier passes the links of programs on to them. Where a program can be looked up and takes no links itself, it serves in its place.
type carrier struct {
	ended func(facet string, link uint64) error // tells initd

	mu       sync.Mutex
	programs map[string]*links // by their names
}

func newCarrier(ended func(facet string, link uint64) error) *carrier {
	return &carrier{ended: ended, programs: map[string]*links{}}
}

func (c *carrier) add(l *links) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.programs[l.name] = l
}

func (c *carrier) remove(l *links) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.programs[l.name] == l {
		delete(c.programs, l.name)
	}
}

func (c *carrier) program(name string) *links {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.programs[name]
}

// knows tells whether a bundle can be looked up.
func (c *carrier) knows(bundle string) bool {
	l := c.program(bundle)
	if l == nil {
		return false
	}
	service, there := l.offered()
	service.Release()
	return there
}

// Carry passes an end on, or serves on it. Whoever cannot be reached closes it, so that the client asks again.
func (c *carrier) Carry(p vat.Passage) {
	l := c.program(p.For())
	switch {
	case l == nil:
		p.Close()
	case l.taken():
		l.pass(p)
	case p.Serves():
		l.stand(p)
	default:
		p.Close()
	}
}

// Cut ends a link of a program.
func (c *carrier) Cut(link uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.programs {
		l.cut(link)
	}
}

// stand serves in the place of a program that takes no links.
func (l *links) stand(p vat.Passage) {
	service, there := l.offered()
	if !there {
		p.Close()
		return
	}
	p.Serve(capnp.Client(service))
}
