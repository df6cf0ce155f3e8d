package vattest

import (
	"context"
	"net"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// Sockets returns both ends of a new connection.
func Sockets(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	a, b, err := plat.StreamPair()
	must(t, err)
	defer a.Close()
	defer b.Close()
	ours, err = vat.Socket(a)
	must(t, err)
	theirs, err = vat.Socket(b)
	must(t, err)
	return ours, theirs
}

// Connect returns both ends of a connection on which a capability is served. Both are closed when the test ends.
func Connect(t testing.TB, server capnp.Client, options ...guard.Option) (used, served *vat.Conn) {
	t.Helper()
	ours, theirs := Sockets(t)
	served = vat.Connect(theirs, server, options...)
	t.Cleanup(served.Close)
	used = vat.Connect(ours, capnp.Client{})
	t.Cleanup(used.Close)
	return used, served
}

// Link returns a reference to a capability, over a connection.
func Link(t testing.TB, server capnp.Client) capnp.Client {
	t.Helper()
	used, _ := Connect(t, server)
	return Bootstrap(t, used)
}

// Bootstrap returns what the other end serves. It is released when the test ends.
func Bootstrap(t testing.TB, conn *vat.Conn) capnp.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	client, err := conn.Bootstrap(ctx)
	must(t, err)
	t.Cleanup(client.Release)
	return client
}

// Provide returns a holding of what the server serves over a connection, and what cuts it.
func Provide(t testing.TB, server capnp.Client) (holding *vat.Holding, cut func()) {
	t.Helper()
	used, served := Connect(t, server)
	holding = vat.NewHolding("test")
	holding.Renew(used)
	return holding, served.Close
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
