package execd

import (
	"context"
	"slices"
	"strings"

	"nexus/daemons/discovery"
	"nexus/daemons/vat"
)

// A provider is a service of a current publication as its clients see it, whichever program serves them.
type provider struct {
	of     *supervisor         // of the system, or of a package of apps
	lost   []uint64            // links that its last program served
	parked []vat.ForwardedLink // links that have arrived since
	next   chan struct{}       // not nil while it is replaced: closed when its successor serves, or will not
}

// maxParked bounds the links that wait for one service.
const maxParked = 256

// publish makes these the services of the supervisor's publication; started are those that do not go on. Clients of
// what served before wait until its successor serves, or has failed.
func (c *forwarder) publish(of *supervisor, names, started []string) {
	started = slices.DeleteFunc(slices.Clone(started), func(name string) bool { return !c.missed(name) })
	gone := map[string]*provider{}
	c.mu.Lock()
	for name, p := range c.providers {
		if p.of == of && !slices.Contains(names, name) {
			p.giveUp()
			gone[name] = p
			delete(c.providers, name)
		}
	}
	for _, name := range names {
		p := c.providers[name]
		if p == nil {
			p = &provider{}
			c.providers[name] = p
		}
		p.of = of
		if p.next == nil && slices.Contains(started, name) {
			p.next = make(chan struct{})
		}
	}
	c.mu.Unlock()
	for name, p := range gone {
		c.over(name, p.lost)
	}
}

// missed reports whether a service has clients, or can have, who wait for its next program.
func (c *forwarder) missed(name string) bool {
	if c.offers(name) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.providers[name]
	return p != nil && len(p.lost) > 0
}

// over reports that links to a bundle have ended for good.
func (c *forwarder) over(name string, links []uint64) {
	for _, link := range links {
		c.ended(bundleFacet(name), link)
	}
}

// giveUp ends the wait for a successor.
func (p *provider) giveUp() {
	for _, link := range p.parked {
		link.Close()
	}
	p.parked = nil
	if p.next != nil {
		close(p.next)
		p.next = nil
	}
}

// fails ends the wait for a service that does not come to serve.
func (c *forwarder) fails(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.providers[name]; p != nil {
		p.giveUp()
	}
}

// serves connects the clients of a service with its new program, and returns the links that have to be made again for
// that.
func (c *forwarder) serves(name string) (lost []uint64) {
	c.mu.Lock()
	var parked []vat.ForwardedLink
	if p := c.providers[name]; p != nil {
		parked, lost = p.parked, p.lost
		p.parked, p.lost = nil, nil
		p.giveUp()
	}
	c.mu.Unlock()
	for _, link := range parked {
		c.Carry(link)
	}
	return lost
}

// park keeps a link to a service until that serves. It returns false if nobody waits for it.
func (c *forwarder) park(name string, link vat.ForwardedLink) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.providers[name]
	if p == nil || p.next == nil || len(p.parked) >= maxParked {
		return false
	}
	p.parked = append(p.parked, link)
	return true
}

// lose records the links that a program served until now. If its bundle is not a service of the current publication,
// they are over.
func (c *forwarder) lose(name string, links []uint64) {
	c.mu.Lock()
	p := c.providers[name]
	if p != nil {
		p.lost = append(p.lost, links...)
	}
	c.mu.Unlock()
	if p == nil {
		c.over(name, links)
	}
}

// returns reports whether a link that has ended will be made again when its provider serves again.
func (c *forwarder) returns(facet string) bool {
	name, is := strings.CutPrefix(facet, bundleFacet(""))
	c.mu.Lock()
	defer c.mu.Unlock()
	return is && c.providers[name] != nil
}

// successor returns a channel that is closed when the service's next program serves, or will not; nil if it is not
// being replaced.
func (c *forwarder) successor(name string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.providers[name]; p != nil {
		return p.next
	}
	return nil
}

// await waits for a bundle while it is replaced.
func (c *forwarder) await(ctx context.Context, bundle string) error {
	for !c.offers(bundle) {
		next := c.successor(bundle)
		if next == nil {
			return nil
		}
		if err := await(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

// bundleFacet returns the facet under which clients hold a bundle.
func bundleFacet(name string) string { return discovery.Facet(bundlePrefix + name) }
