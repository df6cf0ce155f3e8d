package execd

import (
	"context"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	servicecap "nexus/capnpgen/service"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// linkPause is the least time between two links under one name to one program.
const linkPause = 50 * time.Millisecond

// links are the links of one program: our end of its endowment channel, and what was sent over it.
type links struct {
	name      string // the program's
	parent    *vat.Parent
	clock     plat.Clock
	forwarder *forwarder
	over      chan struct{} // closed when the program has ended

	mu     sync.Mutex
	closed bool
	leaves bool                 // it is about to be told to end, and gets no more clients
	conn   *vat.Conn            // on its fd 3; nil at first
	offer  servicecap.Service   // what it serves, once it is healthy
	used   map[uint64]string    // the links that it uses, by number, with their facets
	served map[uint64]bool      // the links on which it serves
	asked  map[string]time.Time // when it may ask for the next link, by name

	standing map[string]int       // links on which it is stood in for, by client
	proxied  map[uint64]*vat.Conn // those links, by number, that were not cut
	held     map[string]*heldLink // those that are held for it, by facet
}

// newLinks registers a program's links, over our end of its channel.
func newLinks(name string, end *os.File, clock plat.Clock, forwarder *forwarder) (*links, error) {
	channel, err := vat.ChannelOf(end)
	if err != nil {
		return nil, err
	}
	l := &links{
		name: name, parent: vat.NewParent(channel), clock: clock, forwarder: forwarder,
		over: make(chan struct{}),
		used: map[uint64]string{}, served: map[uint64]bool{}, asked: map[string]time.Time{},
		standing: map[string]int{}, proxied: map[uint64]*vat.Conn{}, held: map[string]*heldLink{},
	}
	forwarder.add(l)
	go l.watch()
	return l, nil
}

// taken reports whether the program takes links.
func (l *links) taken() bool {
	select {
	case <-l.parent.Ready():
		return true
	default:
		return false
	}
}

// wanted is like taken, for a program that has just asked for a link on fd 3. What it sent on fd 4 before that may
// arrive later, so wanted waits for it: otherwise the program would be served through a proxy for the rest of its run.
func (l *links) wanted(ctx context.Context) (bool, error) {
	if l.taken() {
		return true, nil
	}
	select {
	case <-l.parent.Ready():
		return true, nil
	case <-l.clock.After(linkPause):
		return l.taken(), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// hasEnded reports whether the program can no longer be called.
func (l *links) hasEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil && l.conn.Ended()
}

// connected records the program's connection.
func (l *links) connected(conn *vat.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
}

// serve offers what the program serves to whoever looks it up.
func (l *links) serve(client servicecap.Service) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.leaves {
		l.offer = client.AddRef()
	}
}

// leave withdraws the offer for good: whoever looks the program up from now on waits for its successor. The program is
// told to end only after that, so nobody whose call failed by its end can reach it once more.
func (l *links) leave() {
	l.mu.Lock()
	offer := l.offer
	l.offer, l.leaves = servicecap.Service{}, true
	l.mu.Unlock()
	offer.Release()
}

// offered returns what the program serves. The caller releases it.
func (l *links) offered() (client servicecap.Service, there bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.offer.AddRef(), l.offer.IsValid()
}

// pace waits until the program may have another link under the name, because a provider has to accept each.
func (l *links) pace(ctx context.Context, name string) error {
	l.mu.Lock()
	now := l.clock.Now()
	next := l.asked[name]
	if next.Before(now) {
		next = now
	}
	l.asked[name] = next.Add(linkPause)
	l.mu.Unlock()
	if !next.After(now) {
		return nil
	}
	select {
	case <-l.clock.After(next.Sub(now)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass hands the program its end of a link. One on which it would serve goes to its successor if it is about to end.
func (l *links) pass(p vat.ForwardedLink) {
	l.mu.Lock()
	closed, leaves := l.closed, l.leaves && p.Serves()
	switch {
	case closed, leaves:
	case p.Serves():
		l.served[p.Link()] = true
	default:
		l.used[p.Link()] = p.Facet()
	}
	l.mu.Unlock()
	switch {
	case leaves && l.forwarder.park(l.name, p):
	case closed, leaves:
		p.Close()
	default:
		p.PassOn(l.parent)
	}
}

// cut tells the program that a link was cut, if it has that link.
func (l *links) cut(link uint64) {
	l.mu.Lock()
	has := l.used[link] != "" || l.served[link]
	delete(l.used, link)
	delete(l.served, link)
	delete(l.proxied, link)
	l.mu.Unlock()
	if has {
		l.parent.Cut(link)
	}
}

// watch tells initd about links whose end the program has reported, unless their provider is a service: it makes them
// again when that serves again.
func (l *links) watch() {
	for {
		select {
		case ended := <-l.parent.Ended():
			l.mu.Lock()
			facet, known := l.used[ended.Link]
			l.mu.Unlock()
			if known && !l.forwarder.returns(facet) {
				l.cutUsed(ended.Link)
				l.forwarder.ended(facet, ended.Link)
			}
		case <-l.over:
			return
		}
	}
}

// cutUsed forgets a link that the program used.
func (l *links) cutUsed(link uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.used, link)
}

// close ends the channel and everything that the program used.
func (l *links) close() {
	l.forwarder.remove(l)
	l.parent.Close()
	close(l.over)
	l.mu.Lock()
	used, held, proxied := l.used, l.held, l.proxied
	lost := slices.AppendSeq(slices.Collect(maps.Keys(l.served)), maps.Keys(proxied))
	l.used, l.held, l.proxied, l.closed = nil, nil, nil, true
	l.mu.Unlock()
	l.forwarder.lose(l.name, lost)
	for _, conn := range proxied {
		conn.Close()
	}
	for facet, h := range held {
		l.forwarder.ended(facet, h.close())
	}
	for link, facet := range used {
		l.forwarder.ended(facet, link)
	}
}
