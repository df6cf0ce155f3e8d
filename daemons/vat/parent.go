package vat

import (
	"net"
	"os"
	"sync"

	"nexus/capnpgen/endowment"
)

// maxUnread bounds the ended links of one daemon that initd has not read yet. A daemon holds about a dozen.
const maxUnread = 64

// A Parent is initd's end of a daemon's endowment channel, or execd's end of a bundle's. Grants, cuts and pings are
// sent in the order of the calls by a separate goroutine: no method waits for the daemon, which may be stopped, hostile
// or dead. An error means that the thing could not be granted to any process.
type Parent struct {
	channel *net.UnixConn
	grants  *outbox
	ready   chan struct{}
	alive   chan struct{}
	ended   chan Ended
	over    chan struct{}
	close   func()
}

// An Ended reports that a link which the daemon uses was closed by the other side.
type Ended struct {
	Facet string // The facet, as the daemon reports it: compare it with what was granted.
	Link  uint64 // The link's number, as it was granted.
}

// NewParent takes over the parent's end of the channel and starts to read the daemon's reports.
func NewParent(channel *net.UnixConn) *Parent {
	p := &Parent{
		channel: channel,
		grants:  newOutbox(),
		ready:   make(chan struct{}),
		alive:   make(chan struct{}, 1),
		ended:   make(chan Ended, maxUnread),
		over:    make(chan struct{}),
	}
	p.close = sync.OnceFunc(func() {
		close(p.over)
		channel.Close()
		p.grants.close()
	})
	go p.receive()
	go p.grants.run(channel)
	return p
}

// Ready is closed when the daemon has reported that it serves.
func (p *Parent) Ready() <-chan struct{} { return p.ready }

// Alive gets a value when the daemon answers a ping. Answers that are not received in time are merged.
func (p *Parent) Alive() <-chan struct{} { return p.alive }

// Ended gets the links that the daemon reported as ended. While nobody receives from it and its buffer is full, the
// daemon's reports are not read.
func (p *Parent) Ended() <-chan Ended { return p.ended }

// Overflowed is closed when the daemon has left so much unread that further grants were dropped. This instance can no
// longer have all that its row of the authority table says.
func (p *Parent) Overflowed() <-chan struct{} { return p.grants.overflowed }

// Behind reports whether the daemon has left many packets unread. Nothing is then granted to it at the request of
// outside callers, so that they cannot crowd out initd's own grants.
func (p *Parent) Behind() bool { return p.grants.behind() }

// Close orders the daemon to stop. Further calls have no effect.
func (p *Parent) Close() { p.close() }

// GrantServe grants the daemon a socket on which to serve facet to client; link is initd's number for the link. The
// caller keeps socket and closes it.
func (p *Parent) GrantServe(facet string, client Client, link uint64, socket *os.File) error {
	return p.PassServe("", facet, client, link, socket)
}

// GrantUse grants the daemon a socket on which provider serves facet; link is initd's number for the link. The caller
// keeps socket and closes it.
func (p *Parent) GrantUse(facet, provider string, link uint64, socket *os.File) error {
	return p.PassUse("", facet, provider, link, socket)
}

// PassServe is GrantServe for a process that the daemon started: the daemon forwards the socket to it.
func (p *Parent) PassServe(onward, facet string, client Client, link uint64, socket *os.File) error {
	end := serves(facet, client, link, socket)
	end.Onward = onward
	return p.grants.put(end)
}

// PassUse is GrantUse for a process that the daemon started: the daemon forwards the socket to it.
func (p *Parent) PassUse(onward, facet, provider string, link uint64, socket *os.File) error {
	return p.grants.put(grant{
		Kind: endowment.Endowment_Kind_use, Name: facet, Peer: provider, Link: link, Onward: onward, File: socket,
	})
}

// GrantDir grants the daemon a directory. The caller keeps the file.
func (p *Parent) GrantDir(name string, dir *os.File) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_dir, Name: name, File: dir})
}

// GrantFile grants the daemon an open file. The caller keeps the file.
func (p *Parent) GrantFile(name string, file *os.File) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_file, Name: name, File: file})
}

// GrantSocket grants the daemon a listening socket for a bundle, with the ticket of the call that it answers. The
// caller keeps the socket.
func (p *Parent) GrantSocket(ticket string, socket *os.File) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_socket, Grants: []string{ticket}, File: socket})
}

// GrantSetting grants the daemon the values of a policy setting.
func (p *Parent) GrantSetting(name string, values ...string) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_setting, Name: name, Grants: values})
}

// Cut tells the daemon to close its end of a link.
func (p *Parent) Cut(link uint64) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_cut, Link: link})
}

// Revoke tells the daemon that a facet was revoked, which ends any wait for it.
func (p *Parent) Revoke(facet string) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_cut, Name: facet})
}

// Ping asks the daemon whether it is alive. The answer arrives on Alive.
func (p *Parent) Ping() error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_ping})
}

// receive reads reports until the channel ends. It ignores packets that are not reports: they harm only the daemon that
// sent them.
func (p *Parent) receive() {
	packet := make([]byte, maxPacket)
	said := false
	for {
		n, err := p.channel.Read(packet)
		if err != nil || n == 0 {
			return
		}
		r, err := parseReport(packet[:n])
		if err != nil {
			continue
		}
		switch r.Kind {
		case endowment.Report_Kind_ready:
			if !said {
				said = true
				close(p.ready)
			}
		case endowment.Report_Kind_alive:
			select {
			case p.alive <- struct{}{}:
			default:
			}
		case endowment.Report_Kind_ended:
			select {
			case p.ended <- Ended{Facet: r.Facet, Link: r.Link}:
			case <-p.over:
				return
			}
		}
	}
}
