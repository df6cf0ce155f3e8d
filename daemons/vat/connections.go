package vat

import (
	"os"

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

// track registers a connection, so that Close ends it along with the others. If it ends before that, ended is called.
func (b *Endowments) track(c *Conn, link uint64, ended func()) {
	b.mu.Lock()
	over := b.conns == nil
	if !over {
		b.conns[c] = link
	}
	b.mu.Unlock()
	if over {
		c.Close()
		return
	}
	go func() {
		<-c.Done()
		b.mu.Lock()
		over := b.conns == nil
		delete(b.conns, c)
		b.mu.Unlock()
		if !over {
			ended()
		}
	}()
}

// cut ends the connection of one link, even if its server is not registered yet.
func (b *Endowments) cut(link uint64) {
	var cut []*Conn
	b.mu.Lock()
	for c, number := range b.conns {
		if number == link {
			cut = append(cut, c)
		}
	}
	for facet, arrivals := range b.waiting {
		kept := arrivals[:0]
		for _, a := range arrivals {
			if a.link == link {
				a.socket.Close()
				continue
			}
			kept = append(kept, a)
		}
		b.waiting[facet] = kept
	}
	forwarder := b.forwarder
	b.mu.Unlock()
	if forwarder != nil {
		forwarder.Cut(link)
	}
	for _, c := range cut {
		go c.Close() // Close waits for the library; the channel must go on meanwhile.
	}
}
