package vat

import (
	"net"
	"os"
	"sync"

	"nexus/capnpgen/endowment"
)

// maxUnheard bounds the ended links of one daemon that initd has not taken up yet. A daemon holds a dozen.
const maxUnheard = 64

// A Parent is initd's end of a daemon's endowment channel, or execd's end of a bundle's. What it grants, cuts and asks
// is sent in that order, by a goroutine of its own: no method waits for the daemon, which may be stopped, hostile or
// dead. An error says that a thing cannot be granted to anyone.
type Parent struct {
	channel *net.UnixConn
	grants  *outbox
	ready   chan struct{}
	alive   chan struct{}
	ended   chan Ended
	over    chan struct{}
	close   func()
}

// An Ended says that a link which the daemon uses has ended under it.
type Ended struct {
	Facet string // Which facet it used over the link; its own word, so hold it against what was granted.
	Link  uint64 // The link's number, as it was granted.
}

// NewParent takes over the parent's end of the channel and listens for what the daemon reports.
func NewParent(channel *net.UnixConn) *Parent {
	p := &Parent{
		channel: channel,
		grants:  newOutbox(),
		ready:   make(chan struct{}),
		alive:   make(chan struct{}, 1),
		ended:   make(chan Ended, maxUnheard),
		over:    make(chan struct{}),
	}
	p.close = sync.OnceFunc(func() {
		close(p.over)
		channel.Close()
		p.grants.close()
	})
	go p.hear()
	go p.grants.run(channel)
	return p
}

// Ready is closed when the daemon has said that it serves.
func (p *Parent) Ready() <-chan struct{} { return p.ready }

// Alive gets a value for the daemon's answer to a ping. Answers between two receptions are one.
func (p *Parent) Alive() <-chan struct{} { return p.alive }

// Ended gets the links that the daemon has found ended. When nobody takes them, the daemon is not heard further.
func (p *Parent) Ended() <-chan Ended { return p.ended }

// Stuffed is closed when the daemon has left so much of what it was granted untaken that the rest is lost: it cannot be
// what its row says any more in this life.
func (p *Parent) Stuffed() <-chan struct{} { return p.grants.stuffed }

// Close orders the daemon to stop. A second call has no effect.
func (p *Parent) Close() { p.close() }

// GrantServe hands the daemon a socket on which to serve facet to client, as initd's link of that number. The caller
// keeps the file and closes it.
func (p *Parent) GrantServe(facet string, client Client, link uint64, socket *os.File) error {
	return p.grants.put(grant{
		Kind: endowment.Endowment_Kind_serve, Name: facet, Peer: client.Name, Grants: client.Grants, Link: link,
		File: socket,
	})
}

// GrantUse hands the daemon a socket on which provider serves it facet, as initd's link of that number. The caller
// keeps the file and closes it.
func (p *Parent) GrantUse(facet, provider string, link uint64, socket *os.File) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_use, Name: facet, Peer: provider, Link: link,
		File: socket})
}

// PassServe is GrantServe for a process that the daemon started, to which the daemon passes the socket on.
func (p *Parent) PassServe(onward, facet string, client Client, link uint64, socket *os.File) error {
	return p.grants.put(grant{
		Kind: endowment.Endowment_Kind_serve, Name: facet, Peer: client.Name, Grants: client.Grants, Link: link,
		Onward: onward, File: socket,
	})
}

// PassUse is GrantUse for a process that the daemon started, to which the daemon passes the socket on.
func (p *Parent) PassUse(onward, facet, provider string, link uint64, socket *os.File) error {
	return p.grants.put(grant{
		Kind: endowment.Endowment_Kind_use, Name: facet, Peer: provider, Link: link, Onward: onward, File: socket,
	})
}

// GrantDir hands the daemon a directory. The caller keeps the file.
func (p *Parent) GrantDir(name string, dir *os.File) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_dir, Name: name, File: dir})
}

// GrantFile hands the daemon an open file. The caller keeps the file.
func (p *Parent) GrantFile(name string, file *os.File) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_file, Name: name, File: file})
}

// GrantHanded passes on a file that somebody outside handed over, with the ticket it came with. The caller keeps the
// file. While the daemon leaves much untaken it is refused: what comes from outside never takes the place of what initd
// grants.
func (p *Parent) GrantHanded(name, ticket string, file *os.File) error {
	return p.grants.offer(grant{Kind: endowment.Endowment_Kind_handed, Name: name, Grants: []string{ticket},
		File: file})
}

// GrantSetting hands the daemon the values of a policy setting.
func (p *Parent) GrantSetting(name string, values ...string) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_setting, Name: name, Grants: values})
}

// Cut has the daemon close its end of a link.
func (p *Parent) Cut(link uint64) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_cut, Link: link})
}

// Revoke has the daemon know that a facet was taken back: whoever waits for it there waits no longer.
func (p *Parent) Revoke(facet string) error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_cut, Name: facet})
}

// Ping asks the daemon for a sign of life, which comes by Alive.
func (p *Parent) Ping() error {
	return p.grants.put(grant{Kind: endowment.Endowment_Kind_ping})
}

// hear reads the channel to its end. What cannot be read as a report is ignored: a daemon harms nobody but itself by
// it.
func (p *Parent) hear() {
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
