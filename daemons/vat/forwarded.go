package vat

import (
	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/endowment"
	"nexus/daemons/vat/guard"
)

// A Forwarder takes what a daemon is handed for the processes that it started. It must not block.
type Forwarder interface {
	// Carry takes one end of a link, which it passes on or closes.
	Carry(ForwardedLink)
	// Cut ends a link, if it was carried.
	Cut(link uint64)
}

// A ForwardedLink is one end of a link that is meant for a process which the daemon started.
type ForwardedLink struct {
	endowments *Endowments
	end        grant
}

// OnForwarded has the forwarder take what is to be passed on. What came before is lost: its client finds the link
// closed, and asks again.
func (b *Endowments) OnForwarded(c Forwarder) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forwarder = c
}

func (b *Endowments) carry(e grant) {
	p := ForwardedLink{b, e}
	b.mu.Lock()
	forwarder := b.forwarder
	b.mu.Unlock()
	links := e.Kind == endowment.Endowment_Kind_serve || e.Kind == endowment.Endowment_Kind_use
	if forwarder == nil || e.File == nil || !links {
		p.Close()
		return
	}
	forwarder.Carry(p)
}

// For is the process that it is meant for, by the name under which the daemon asked for it.
func (p ForwardedLink) For() string { return p.end.Onward }

// Facet is the facet that the link is for.
func (p ForwardedLink) Facet() string { return p.end.Name }

// Link is the number of the link.
func (p ForwardedLink) Link() uint64 { return p.end.Link }

// Serves tells that it is the provider's end.
func (p ForwardedLink) Serves() bool { return p.end.Kind == endowment.Endowment_Kind_serve }

// PassOn grants the end to the process whose endowment channel that is.
func (p ForwardedLink) PassOn(to *Parent) error {
	defer p.Close()
	onward := p.end
	onward.Onward = ""
	return to.grants.put(onward)
}

// Peer is who is at the other end.
func (p ForwardedLink) Peer() string { return p.end.Peer }

// Serve serves bootstrap on the end in place of the process, until the link is cut or ends. What is called on it is
// passed on: a call counts until it has returned. It is nil where there is no link.
func (p ForwardedLink) Serve(bootstrap capnp.Client) *Conn {
	socket, err := socketOf(p.end.File)
	if err != nil {
		bootstrap.Release()
		return nil
	}
	client := Client{Name: p.end.Peer, Grants: p.end.Grants}
	return p.endowments.serve(arrival{client, p.end.Link, socket}, func(Client) capnp.Client { return bootstrap },
		guard.Forwards())
}

// Use fills a holding with what is served on the end, in place of the process, until the link is cut or ends. It is nil
// where there is no link.
func (p ForwardedLink) Use(h *Holding) *Conn {
	socket, err := socketOf(p.end.File)
	if err != nil {
		return nil
	}
	conn := Connect(socket, capnp.Client{}, guard.Forwards(), p.watch())
	p.endowments.track(conn, p.end.Link, func() { p.endowments.ReportEnded(p.end.Name, p.end.Link) })
	h.Renew(conn)
	return conn
}

// watch reports a breach by whoever it is: calls are given up by the process, everything else is said by the peer.
func (p ForwardedLink) watch() guard.Option {
	return guard.Observe(func(reason guard.Reason) {
		who := p.end.Peer
		if reason == guard.GivesUp {
			who = p.end.Onward
		}
		p.endowments.report(who, reason)
	})
}

// Close closes the end: whoever has the other one finds the link ended.
func (p ForwardedLink) Close() {
	if p.end.File != nil {
		p.end.File.Close()
	}
}

// ReportEnded tells initd that a link which was passed on has ended.
func (b *Endowments) ReportEnded(facet string, link uint64) error {
	return sendReport(b.channel, report{Kind: endowment.Report_Kind_ended, Facet: facet, Link: link})
}
