package vat

import (
	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/birth"
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

// Serve serves bootstrap on the end in place of the process, until the link is cut or ends.
func (p Passage) Serve(bootstrap capnp.Client) {
	socket, err := socketOf(p.end.File)
	if err != nil {
		bootstrap.Release()
		return
	}
	client := Client{Name: p.end.Peer, Grants: p.end.Grants}
	p.birth.serve(arrival{client, p.end.Link, socket}, func(Client) capnp.Client { return bootstrap })
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
