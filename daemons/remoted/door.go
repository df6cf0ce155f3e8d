package remoted

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/pinned"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

const (
	// handshakePatience bounds the time from a connection to a proven key, and then to its admission.
	handshakePatience = 10 * time.Second
	// acceptPause is how long to wait when a connection cannot be accepted for want of descriptors.
	acceptPause = 100 * time.Millisecond
)

// A door is where operators come in.
type door struct {
	log     *logclient.Log
	clock   plat.Clock
	gate    *vat.Holding // initd's OperatorGate
	tickets vat.Tickets
	keys    map[trust.PublicKey]bool
	config  *tls.Config
	late    time.Duration // handshakePatience, but in tests
	places  *places
	turned  *tally
}

// known refuses keys that initd did not name.
func (d *door) known(key trust.PublicKey) error {
	if !d.keys[key] {
		return errUnknownKey
	}
	return nil
}

var errUnknownKey = errors.New("unknown key")

// serve lets in those who come until the listener is closed.
func (d *door) serve(ctx context.Context, listener net.Listener) {
	for {
		socket, err := listener.Accept()
		switch {
		case err == nil:
		case errors.Is(err, net.ErrClosed) || ctx.Err() != nil:
			return
		default:
			<-d.clock.After(acceptPause)
			continue
		}
		address := addressOf(socket)
		if !d.places.take(address) {
			socket.Close()
			d.turned.count("no-place")
			continue
		}
		go d.receive(ctx, socket, address)
	}
}

func addressOf(socket net.Conn) netip.Addr {
	from, err := netip.ParseAddrPort(socket.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}

// receive has somebody prove a key, and passes their bytes on if initd admits them.
func (d *door) receive(ctx context.Context, socket net.Conn, address netip.Addr) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer socket.Close()
	proven := false
	defer func() { d.places.give(address, proven) }()
	late := time.AfterFunc(d.late, cancel)
	conn := tls.Server(socket, d.config)
	if err := conn.HandshakeContext(ctx); err != nil {
		d.turned.count(reasonOf(ctx, err))
		linger(socket)
		return
	}
	proven = true
	d.places.proven(address)
	key, err := pinned.KeyOf(conn)
	if err != nil {
		return
	}
	inner, err := d.admit(ctx, key, address)
	if !late.Stop() || err != nil {
		if inner != nil {
			inner.Close()
		}
		if refusal.Of(err) == refusal.KeyRefused {
			_ = pinned.Refuse(conn) // whoever does not hear it hears that the connection ends
			linger(socket)
		}
		return
	}
	defer inner.Close()
	if pinned.Admit(conn) == nil {
		pass(ctx, conn, inner)
	}
}

// lingerPatience and maxLinger bound what is still read from somebody who was turned away.
const (
	lingerPatience = 2 * time.Second
	maxLinger      = 64 << 10
)

// linger reads what somebody who was turned away still sends. Closed with unread bytes, the connection would be reset,
// and they might not hear why it ended.
func linger(socket net.Conn) {
	if tcp, ok := socket.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		_ = socket.SetReadDeadline(time.Now().Add(lingerPatience))
		_, _ = io.CopyN(io.Discard, socket, maxLinger)
	}
}

// reasonOf names why a handshake failed.
func reasonOf(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, errUnknownKey):
		return "unknown-key"
	case ctx.Err() != nil:
		return "too-slow"
	}
	return "bad-handshake"
}

// admit asks initd for a socket on which it serves Operator to the holder of a key.
func (d *door) admit(ctx context.Context, key trust.PublicKey, address netip.Addr) (net.Conn, error) {
	ticket, arrived, forget := d.tickets.Expect(1)
	defer forget()
	err := d.gate.Call(ctx, func(client capnp.Client) error {
		answer, release := operator.OperatorGate(client).Admit(ctx, func(p operator.OperatorGate_admit_Params) error {
			return errors.Join(p.SetKey(key[:]), p.SetAddress(address.String()), p.SetTicket(ticket))
		})
		defer release()
		res, err := answer.Struct()
		if err != nil {
			return err
		}
		return convert.Refused(res.Refusal())
	})
	if err != nil {
		return nil, err
	}
	var socket *os.File
	select {
	case socket = <-arrived:
		defer socket.Close()
		return vat.Socket(socket)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pass copies bytes in both directions until one side ends.
func pass(ctx context.Context, outer, inner net.Conn) {
	ended := make(chan struct{}, 2)
	way := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // the end of a connection has no other meaning
		ended <- struct{}{}
	}
	go way(inner, outer)
	go way(outer, inner)
	select {
	case <-ended:
	case <-ctx.Done():
	}
	outer.Close()
	inner.Close()
	<-ended
}
