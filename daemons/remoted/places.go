package remoted

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
)

// Bounds on connections. Of IPv6 addresses the network counts, since one machine may have all addresses of a network.
const (
	maxConnections = 128
	maxUnproven    = 64 // of those that have not proven a key
	maxFromOne     = 16 // from one address, and half as many that have not proven a key
	networkBits    = 64
)

// places are those that connections may take.
type places struct {
	mu   sync.Mutex
	all  int
	from map[netip.Addr]*guests
	new  int // those that have not proven a key
}

// guests are the connections from one address.
type guests struct{ all, new int }

func newPlaces() *places { return &places{from: map[netip.Addr]*guests{}} }

// neighborhood returns what is counted in place of an address.
func neighborhood(address netip.Addr) netip.Addr {
	if address.Is6() {
		if prefix, err := address.Prefix(networkBits); err == nil {
			return prefix.Addr()
		}
	}
	return address
}

// take takes a place for a new connection, if there is one.
func (p *places) take(address netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	address = neighborhood(address)
	g := p.from[address]
	if g == nil {
		g = &guests{}
	}
	if p.all >= maxConnections || p.new >= maxUnproven || g.all >= maxFromOne || g.new >= maxFromOne/2 {
		return false
	}
	p.from[address] = g
	p.all, p.new, g.all, g.new = p.all+1, p.new+1, g.all+1, g.new+1
	return true
}

// proven says that a connection has proven a key.
func (p *places) proven(address netip.Addr) { p.change(address, func(g *guests) { p.new--; g.new-- }) }

// give gives a place back. proven says whether the connection had proven a key.
func (p *places) give(address netip.Addr, proven bool) {
	p.change(address, func(g *guests) {
		p.all--
		g.all--
		if !proven {
			p.new--
			g.new--
		}
	})
}

func (p *places) change(address netip.Addr, change func(*guests)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	address = neighborhood(address)
	change(p.from[address])
	if p.from[address].all == 0 {
		delete(p.from, address)
	}
}

// A tally counts those who were turned away, by the reason. The log gets one line for each reason and second, however
// many come.
type tally struct {
	log    *logclient.Log
	mu     sync.Mutex
	counts map[string]int
}

func newTally(log *logclient.Log) *tally { return &tally{log: log, counts: map[string]int{}} }

func (t *tally) count(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[reason]++
}

// report writes what was counted to the log, until ctx ends.
func (t *tally) report(ctx context.Context, clock plat.Clock) {
	for {
		select {
		case <-clock.After(time.Second):
		case <-ctx.Done():
			return
		}
		t.mu.Lock()
		counts := t.counts
		t.counts = map[string]int{}
		t.mu.Unlock()
		for reason, n := range counts {
			t.log.Warn("turned away", "reason", reason, "count", n)
		}
	}
}
