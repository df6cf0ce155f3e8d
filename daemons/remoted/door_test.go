package remoted

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/pinned"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// Who takes part: the device, an operator that the gate admits, one that it refuses, and a stranger.
func device() trust.Signer   { return updatestest.Key(1) }
func anna() trust.Signer     { return updatestest.Key(2) }
func revoked() trust.Signer  { return updatestest.Key(3) }
func stranger() trust.Signer { return updatestest.Key(4) }

// A gate stands for initd's. Whoever is admitted is served an echo.
type gate struct {
	door *door

	mu    sync.Mutex
	asked int
	inner []net.Conn // of those who were admitted
}

func (g *gate) Admit(_ context.Context, call operator.OperatorGate_admit) error {
	key, err := call.Args().Key()
	if err != nil {
		return err
	}
	ticket, err := call.Args().Ticket()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	if trust.PublicKey(key) == revoked().Public() {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.KeyRefused, "revoked"))
	}
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	g.door.tickets.Take(ticket, theirs)
	inner, err := vat.Socket(ours)
	if err != nil {
		return err
	}
	g.inner = append(g.inner, inner)
	go func() { _, _ = io.Copy(inner, inner) }()
	return nil
}

func (g *gate) questions() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// open opens a door at a port of this machine.
func open(t *testing.T, late time.Duration) (*gate, string) {
	t.Helper()
	d := &door{log: logclient.New("remoted", vat.NewHolding("LogSink")), clock: plat.RealClock{},
		gate: vat.NewHolding("OperatorGate"), late: late, places: newPlaces(),
		keys: map[trust.PublicKey]bool{anna().Public(): true, revoked().Public(): true}}
	d.turned = newTally(d.log)
	g := &gate{door: d}
	using, _ := vattest.Connect(t, capnp.Client(operator.OperatorGate_ServerToClient(g)))
	d.gate.Renew(using)
	var err error
	if d.config, err = pinned.Server(device(), d.known); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go d.serve(ctx, listener)
	t.Cleanup(func() {
		cancel()
		listener.Close()
	})
	return g, listener.Addr().String()
}

// echo checks that what is sent comes back.
func echo(t *testing.T, conn net.Conn) {
	t.Helper()
	sent := bytes.Repeat([]byte("operator "), 1<<14)
	go func() { _, _ = conn.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("what comes back is not what was sent: %v", err)
	}
}

func dial(t *testing.T, address string, own trust.Signer) *pinned.Conn {
	t.Helper()
	conn, err := pinned.Dial(t.Context(), address, own, device().Public())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestOperatorComesIn(t *testing.T) {
	g, address := open(t, handshakePatience)
	conn := dial(t, address, anna())
	echo(t, conn)
	again := dial(t, address, anna())
	echo(t, again)

	// Either end of a connection is the end of the other.
	g.mu.Lock()
	for _, inner := range g.inner {
		inner.Close()
	}
	g.mu.Unlock()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlives what is served on it")
	}
}

// Each peer that is not an operator is hung up on for one reason, and initd is not asked about it.
func TestStrangersReachNobody(t *testing.T) {
	with := func(change func(*tls.Config)) func(*testing.T, net.Conn) {
		return func(t *testing.T, socket net.Conn) {
			config, err := pinned.Client(anna(), device().Public())
			if err != nil {
				t.Fatal(err)
			}
			change(config)
			conn := tls.Client(socket, config)
			if err := conn.Handshake(); err == nil {
				_, _ = conn.Read(make([]byte, 1))
			}
		}
	}
	say := func(text string) func(*testing.T, net.Conn) {
		return func(_ *testing.T, socket net.Conn) { _, _ = io.WriteString(socket, text) }
	}
	for name, c := range map[string]struct {
		attack func(*testing.T, net.Conn)
		reason string
	}{
		"nothing":          {func(_ *testing.T, socket net.Conn) { socket.Close() }, "bad-handshake"},
		"HTTP":             {say("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "bad-handshake"},
		"zeros":            {say(string(make([]byte, 1<<16))), "bad-handshake"},
		"a huge record":    {say("\x16\x03\x01\xff\xff"), "bad-handshake"},
		"an early end":     {func(_ *testing.T, socket net.Conn) { _, _ = io.WriteString(socket, "\x16\x03\x01"); socket.Close() }, "bad-handshake"},
		"TLS 1.2":          {with(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }), "bad-handshake"},
		"no certificate":   {with(func(c *tls.Config) { c.Certificates = nil }), "bad-handshake"},
		"another protocol": {with(func(c *tls.Config) { c.NextProtos = []string{"h2"} }), "bad-handshake"},
		"no protocol":      {with(func(c *tls.Config) { c.NextProtos = nil; c.VerifyConnection = nil }), "bad-handshake"},
		"another kind of key": {with(func(c *tls.Config) {
			c.Certificates = []tls.Certificate{otherKind(t)}
		}), "bad-handshake"},
		"an unknown key": {with(func(c *tls.Config) {
			other, err := pinned.Client(stranger(), device().Public())
			if err != nil {
				t.Error(err)
			}
			c.Certificates = other.Certificates
		}), "unknown-key"},
		"a key that is not his": {with(func(c *tls.Config) {
			other, err := pinned.Client(stranger(), device().Public())
			if err != nil {
				t.Error(err)
			}
			c.Certificates[0].PrivateKey = other.Certificates[0].PrivateKey
		}), "bad-handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			g, address := open(t, time.Hour)
			socket, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			c.attack(t, socket)
			_, _ = io.Copy(io.Discard, socket) // until the door has had enough
			await(t, func() bool { return g.door.turned.has(c.reason) })
			if n := g.questions(); n > 0 {
				t.Errorf("the gate was asked %d times", n)
			}
			echo(t, dial(t, address, anna()))
		})
	}
}

// has reports whether nothing but one of that reason was counted.
func (t *tally) has(reason string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.counts) == 1 && t.counts[reason] == 1
}

// await waits for what has to come.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come")
		}
	}
}

// Half a handshake does not last.
func TestHalfAHandshake(t *testing.T) {
	g, address := open(t, 20*time.Millisecond)
	socket, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if _, err := io.WriteString(socket, "\x16\x03\x01\x02\x00\x01"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, socket) // ends when the door has had enough
	await(t, func() bool { return g.door.turned.has("too-slow") })
}

// A key that initd refuses, or another device, is known as that.
func TestRefusals(t *testing.T) {
	g, address := open(t, handshakePatience)
	conn := dial(t, address, revoked())
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, pinned.ErrRefused) ||
		!errors.Is(conn.Refused(), pinned.ErrRefused) {
		t.Errorf("a revoked key: got %v", err)
	}
	if g.questions() != 1 {
		t.Errorf("the gate was asked %d times", g.questions())
	}
	conn = dial(t, address, stranger())
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, pinned.ErrRefused) {
		t.Errorf("a stranger: got %v", err)
	}
	if _, err := pinned.Dial(t.Context(), address, anna(), stranger().Public()); !errors.Is(err, pinned.ErrKey) {
		t.Errorf("another device: got %v", err)
	}
}

// Ten thousand connections have no more than their places, and are gone when they are gone.
func TestTenThousandConnections(t *testing.T) {
	g, address := open(t, time.Hour)
	var held []net.Conn
	for range 10_000 {
		socket, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if held = append(held, socket); len(held) > 256 {
			held[0].Close()
			held = held[1:]
		}
		if all, fresh := g.door.places.count(); all > maxFromOne || fresh > maxFromOne/2 {
			t.Fatalf("one address has %d connections, %d of them without a key", all, fresh)
		}
	}
	for _, socket := range held {
		socket.Close()
	}
	await(t, func() bool { return g.door.places.empty() })
	if g.questions() > 0 {
		t.Error("initd was asked about them")
	}
	var served *pinned.Conn
	await(t, func() bool { // the last of them may still be waiting to be accepted
		conn, err := pinned.Dial(t.Context(), address, anna(), device().Public())
		served = conn
		return err == nil
	})
	defer served.Close()
	echo(t, served)
}

func (p *places) count() (all, fresh int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all, p.new
}

// empty reports whether nothing is left of anybody.
func (p *places) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all == 0 && p.new == 0 && len(p.from) == 0
}

func TestPlaces(t *testing.T) {
	p := newPlaces()
	one := netip.MustParseAddr("192.0.2.1")
	for range maxFromOne / 2 {
		if !p.take(one) {
			t.Fatal("there is no place for the first")
		}
	}
	if p.take(one) {
		t.Error("one address has more than its places without a key")
	}
	for range maxFromOne / 2 {
		p.proven(one)
		if !p.take(one) {
			t.Fatal("whoever has proven a key takes the place of one who has not")
		}
	}
	if p.take(one) {
		t.Error("one address has more than its places")
	}
	// A network of IPv6 is one neighbor.
	six := netip.MustParseAddr("2001:db8::1")
	for range maxFromOne / 2 {
		if !p.take(six) {
			t.Fatal("another address finds no place")
		}
		six = six.Next()
	}
	if p.take(six) || !p.take(netip.MustParseAddr("2001:db8:0:1::1")) {
		t.Error("a network counts as its addresses")
	}
	taken := 0
	for next := netip.MustParseAddr("198.51.100.1"); p.take(next); next = next.Next() {
		taken++
	}
	if all, fresh := p.count(); fresh != maxUnproven || all > maxConnections {
		t.Errorf("%d connections, %d without a key", all, fresh)
	}
	for range maxFromOne / 2 {
		p.give(one, false)
		p.give(one, true)
	}
	if p.from[one] != nil || !p.take(one) {
		t.Error("a place that was given back is not free")
	}
	if taken == 0 {
		t.Error("nobody else came in")
	}
}

// otherKind is the certificate of a key that is not Ed25519.
func otherKind(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Error(err)
		return tls.Certificate{}
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Error(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
