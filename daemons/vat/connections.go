package vat

import (
	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat/guard"
)

// takeUse connects to the provider of a facet. When that connection ends and the daemon did not mean it to, initd is
// told, which makes the link again if both its ends still live.
func (b *Endowments) takeUse(e grant) {
	socket, err := socketOf(e.File)
	if err != nil {
		return
	}
	conn := Connect(socket, capnp.Client{}, b.watch(e.Peer))
	b.track(conn, e.Link, func() {
		b.ReportEnded(e.Name, e.Link)
	})
	b.Use(e.Name).Renew(conn)
}

// serve answers a client. That its connection ends is for the client to report: it may have meant it.
func (b *Endowments) serve(a arrival, bootstrap func(Client) capnp.Client, options ...guard.Option) *Conn {
	conn := Connect(a.socket, bootstrap(a.client), append(options, b.watch(a.client.Name))...)
	b.track(conn, a.link, func() {})
	return conn
}

// track remembers a connection until it ends, so that all end with the channel, and says when it has ended before that.
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

// cut ends the connection of one link, also of one whose server is not there yet.
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
		go c.Close() // it waits for the library, and other things may come over the channel meanwhile
	}
}
