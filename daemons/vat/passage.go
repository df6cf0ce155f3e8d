package vat

import (
	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/birth"
	"nexus/daemons/vat/guard"
)

// A Carrier takes what a daemon is handed for the processes that it started. It must not block.
type Carrier interface {
	// Carry takes one end of a link, which it passes on or closes.
	Carry(Passage)
	// Cut ends a link, if it was carried.
	Cut(link uint64)
}

// A Passage is one end of a link that is meant for a process which the daemon started.
type Passage struct {
	birth *Birth
	end   endowment
}

// OnPassage has the carrier take what is to be passed on. What came before is lost: its client finds the link closed, and asks again.
func (b *Birth) OnPassage(c Carrier) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.carrier = c
}

func (b *Birth) carry(e endowment) {
	p := Passage{b, e}
	b.mu.Lock()
	carrier := b.carrier
	b.mu.Unlock()
	links := e.Kind == birth.Endowment_Kind_serve || e.Kind == birth.Endowment_Kind_use
	if carrier == nil || e.File == nil || !links {
		p.Close()
		return
	}
	carrier.Carry(p)
}

// For is the process that it is meant for, by the name under which the daemon asked for it.
func (p Passage) For() string { return p.end.Onward }

// Facet is the facet that the link is for.
func (p Passage) Facet() string { return p.end.Name }

// Link is the number of the link.
func (p Passage) Link() uint64 { return p.end.Link }

// Serves tells that it is the provider's end.
func (p Passage) Serves() bool { return p.end.Kind == birth.Endowment_Kind_serve }

// PassOn grants the end to the process whose birth channel that is.
func (p Passage) PassOn(to *Parent) error {
	defer p.Close()
	onward := p.end
	onward.Onward = ""
	return to.grants.put(onward)
}

// Peer is who is at the other end.
func (p Passage) Peer() string { return p.end.Peer }

// Serve serves bootstrap on the end in place of the process, until the link is cut or ends. What is called on it is passed on: a call counts
// until it has returned. It is nil where there is no link.
func (p Passage) Serve(bootstrap capnp.Client) *Conn {
	socket, err := socketOf(p.end.File)
	if err != nil {
		bootstrap.Release()
		return nil
	}
	client := Client{Name: p.end.Peer, Grants: p.end.Grants}
	return p.birth.serve(arrival{client, p.end.Link, socket}, func(Client) capnp.Client { return bootstrap }, guard.Forwards())
}

// Use fills a holding with what is served on the end, in place of the process, until the link is cut or ends. It is nil where there is no link.
func (p Passage) Use(h *Holding) *Conn {
	socket, err := socketOf(p.end.File)
	if err != nil {
		return nil
	}
	conn := Connect(socket, capnp.Client{}, guard.Forwards(), p.watch())
	p.birth.track(conn, p.end.Link, func() { p.birth.ReportEnded(p.end.Name, p.end.Link) })
	h.Renew(conn)
	return conn
}

// watch reports a breach by whoever it is: calls are given up by the process, everything else is said by the peer.
func (p Passage) watch() guard.Option {
	return guard.Observe(func(reason guard.Reason) {
		who := p.end.Peer
		if reason == guard.GivesUp {
			who = p.end.Onward
		}
		p.birth.report(who, reason)
	})
}

// Close closes the end: whoever has the other one finds the link ended.
func (p Passage) Close() {
	if p.end.File != nil {
		p.end.File.Close()
	}
}

// ReportEnded tells initd that a link which was passed on has ended.
func (b *Birth) ReportEnded(facet string, link uint64) error {
	return sendReport(b.channel, report{Kind: birth.Report_Kind_ended, Facet: facet, Link: link})
}
