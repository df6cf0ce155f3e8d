package vat

import (
	"net"
	"os"

	"nexus/capnpgen/birth"
)

// A Parent is initd's end of a daemon's birth channel.
type Parent struct {
	channel *net.UnixConn
	ready   chan struct{}
}

// NewParent takes over initd's end of the channel and listens for the daemon's Ready.
func NewParent(channel *net.UnixConn) *Parent {
	p := &Parent{channel: channel, ready: make(chan struct{})}
	go p.awaitReady()
	return p
}

// Ready is closed when the daemon has said that it serves.
func (p *Parent) Ready() <-chan struct{} { return p.ready }

// Close orders the daemon to stop.
func (p *Parent) Close() { p.channel.Close() }

// GrantServe hands the daemon a socket on which to serve facet to client. The caller keeps the file and closes it.
func (p *Parent) GrantServe(facet string, client Client, socket *os.File) error {
	return sendEndowment(p.channel, endowment{Kind: birth.Endowment_Kind_serve, Name: facet, Peer: client.Name, Grants: client.Grants, File: socket})
}

// GrantUse hands the daemon a socket on which provider serves it facet. The caller keeps the file and closes it.
func (p *Parent) GrantUse(facet, provider string, socket *os.File) error {
	return sendEndowment(p.channel, endowment{Kind: birth.Endowment_Kind_use, Name: facet, Peer: provider, File: socket})
}

// GrantDir hands the daemon a directory. The caller keeps the file.
func (p *Parent) GrantDir(name string, dir *os.File) error {
	return sendEndowment(p.channel, endowment{Kind: birth.Endowment_Kind_dir, Name: name, File: dir})
}

// GrantFile hands the daemon an open file. The caller keeps the file.
func (p *Parent) GrantFile(name string, file *os.File) error {
	return sendEndowment(p.channel, endowment{Kind: birth.Endowment_Kind_file, Name: name, File: file})
}

// GrantSetting hands the daemon the values of a policy setting.
func (p *Parent) GrantSetting(name string, values ...string) error {
	return sendEndowment(p.channel, endowment{Kind: birth.Endowment_Kind_setting, Name: name, Grants: values})
}

// awaitReady reads the channel to its end; the first packet is the daemon's Ready. Nothing else is ever read from a daemon here.
func (p *Parent) awaitReady() {
	packet := make([]byte, maxPacket)
	said := false
	for {
		n, err := p.channel.Read(packet)
		if err != nil || n == 0 {
			return
		}
		if !said {
			said = true
			close(p.ready)
		}
	}
}
