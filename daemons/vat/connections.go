package vat

import (
	"fmt"
	"os"
	"slices"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat/guard"
)

// takeUse connects to the provider of a facet. If the provider's end closes, it reports that to initd, which makes the
// link again if both processes still run.
func (b *Endowments) takeUse(e grant) {
	socket, err := socketOf(e.File)
	if err != nil {
		return
	}
	conn := Connect(socket, capnp.Client{}, b.watch(e.Peer), guard.AcceptFiles(&guard.Files{}))
	b.track(conn, e.Link, func() {
		b.ReportEnded(e.Name, e.Link)
	})
	b.Use(e.Name).Renew(conn)
}

// serve answers a client. If the connection ends, reporting that is up to the client, which may have closed it on
// purpose.
func (b *Endowments) serve(a arrival, s server, options ...guard.Option) *Conn {
	if s.files {
		a.client.Files = &guard.Files{}
		options = append(options, guard.AcceptFiles(a.client.Files))
	}
	var conn *Conn
	connected := make(chan struct{})
	a.client.Hand = func(f *os.File) error {
		<-connected
		return conn.Attach(f)
	}
	conn = Connect(a.socket, s.bootstrap(a.client), append(options, b.watch(a.client.Name))...)
	close(connected)
	b.track(conn, a.link, func() {})
	return conn
}

// cut ends the connection of one link, even if its server is not registered yet.
func (b *Endowments) cut(link uint64) {
	b.mu.Lock()
	for facet, arrivals := range b.waiting {
		b.waiting[facet] = slices.DeleteFunc(arrivals, func(a arrival) bool {
			if a.link == link {
				a.socket.Close()
			}
			return a.link == link
		})
	}
	forwarder := b.forwarder
	b.mu.Unlock()
	if forwarder != nil {
		forwarder.Cut(link)
	}
	b.endOf(link)
}

// connections are those of a daemon.
type connections struct {
	mu      sync.Mutex
	conns   map[*Conn]uint64 // the value is the link's number; nil: all are over
	refused func(peer string, reason guard.Reason)
}

// OnRefused registers f to be called for each peer that loses its connection because it broke the protocol. peer is the
// name that initd gave it. f must not block. The default prints a line on standard error, which initd puts into the
// log.
func (c *connections) OnRefused(f func(peer string, reason guard.Reason)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = f
}

// lastWords reports refusals on standard error, for daemons that have no log.
func lastWords(peer string, reason guard.Reason) {
	fmt.Fprintf(os.Stderr, "peer broke protocol peer=%s reason=%s\n", peer, reason)
}

// watch reports refusals of this peer under its name.
func (c *connections) watch(peer string) guard.Option {
	return guard.Observe(func(reason guard.Reason) { c.report(peer, reason) })
}

func (c *connections) report(peer string, reason guard.Reason) {
	c.mu.Lock()
	report := c.refused
	c.mu.Unlock()
	report(peer, reason)
}

// track registers a connection, so that Close ends it along with the others. If it ends before that, ended is called.
func (c *connections) track(conn *Conn, link uint64, ended func()) {
	c.mu.Lock()
	over := c.conns == nil
	if !over {
		c.conns[conn] = link
	}
	c.mu.Unlock()
	if over {
		conn.Close()
		return
	}
	go func() {
		<-conn.Done()
		c.mu.Lock()
		over := c.conns == nil
		delete(c.conns, conn)
		c.mu.Unlock()
		if !over {
			ended()
		}
	}()
}

// endOf ends the connection of one link.
func (c *connections) endOf(link uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, number := range c.conns {
		if number == link {
			go conn.Close() // Close waits for the library; the channel must go on meanwhile.
		}
	}
}

// end ends all connections, and those that come later.
func (c *connections) end() {
	c.mu.Lock()
	conns := c.conns
	c.conns = nil
	c.mu.Unlock()
	for conn := range conns {
		conn.Close()
	}
}
