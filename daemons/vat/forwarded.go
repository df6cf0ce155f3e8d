package vat

import (
	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/endowment"
	"nexus/daemons/vat/guard"
)

// A Forwarder receives what a daemon is granted on behalf of the processes that it started. Its methods must not block.
type Forwarder interface {
	// Carry takes over one end of a link, and passes it on or closes it.
	Carry(ForwardedLink)
	// Cut ends a link that was carried. Other numbers are ignored.
	Cut(link uint64)
}

// A ForwardedLink is one end of a link that is meant for a process that the daemon started.
type ForwardedLink struct {
	endowments *Endowments
	end        grant
}

// OnForwarded registers the forwarder. Links that arrived earlier are closed; their clients notice and ask again.
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

// For returns the process that the link is meant for, by the name under which the daemon asked for the link.
func (p ForwardedLink) For() string { return p.end.Onward }

// Facet returns the facet that the link carries.
func (p ForwardedLink) Facet() string { return p.end.Name }

// Link returns the number of the link.
func (p ForwardedLink) Link() uint64 { return p.end.Link }

// Serves reports whether this is the provider's end.
func (p ForwardedLink) Serves() bool { return p.end.Kind == endowment.Endowment_Kind_serve }

// PassOn grants the end to the process on the other side of an endowment channel.
func (p ForwardedLink) PassOn(to *Parent) error {
	defer p.Close()
	onward := p.end
	onward.Onward = ""
	return to.grants.put(onward)
}

// Peer returns the name of the process at the other end.
func (p ForwardedLink) Peer() string { return p.end.Peer }

// Serve serves bootstrap on the end on behalf of the process, until the link is cut or ends, or a call fails because
// the process is over. Calls on it are forwarded, so a call counts against the limits until it has returned. Serve
// returns nil if the link has no socket.
func (p ForwardedLink) Serve(bootstrap capnp.Client, over func() bool) *Conn {
	socket, err := socketOf(p.end.File)
	if err != nil {
		bootstrap.Release()
		return nil
	}
	server := server{bootstrap: func(Client) capnp.Client { return bootstrap }}
	return p.endowments.serve(arrival{p.end.client(), p.end.Link, socket}, server, guard.Forwards(),
		guard.Until(over))
}

// Use fills a holding with the capability served on the end, on behalf of the process, until the link is cut or ends.
// It then calls ended, unless everything ends. It returns nil if the link has no socket.
func (p ForwardedLink) Use(h *Holding, ended func()) *Conn {
	socket, err := socketOf(p.end.File)
	if err != nil {
		return nil
	}
	conn := Connect(socket, capnp.Client{}, guard.Forwards(), p.watch())
	p.endowments.track(conn, p.end.Link, ended)
	h.Renew(conn)
	return conn
}

// watch reports a refusal under the name of the process at fault: the process that we stand for if it abandons calls,
// the peer otherwise.
func (p ForwardedLink) watch() guard.Option {
	return guard.Observe(func(reason guard.Reason) {
		who := p.end.Peer
		if reason == guard.GivesUp {
			who = p.end.Onward
		}
		p.endowments.report(who, reason)
	})
}

// Close closes the end; the process at the other end sees the link end.
func (p ForwardedLink) Close() {
	if p.end.File != nil {
		p.end.File.Close()
	}
}

// ReportEnded reports to initd that a forwarded link has ended.
func (b *Endowments) ReportEnded(facet string, link uint64) error {
	return sendReport(b.channel, report{Kind: endowment.Report_Kind_ended, Facet: facet, Link: link})
}
