package vattest

import (
	"context"
	"net"
	"os"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// Client returns the capability that the daemon serves as facet to a client with this name and these grants. It is
// released when the test ends.
func (d *Daemon) Client(facet, name string, grants ...string) capnp.Client {
	d.t.Helper()
	client, err := d.TryClient(facet, name, grants...)
	if err != nil {
		d.t.Fatalf("cannot get %s as %s: %v", facet, name, err)
	}
	return client
}

// TryClient is Client for a daemon that may refuse to serve.
func (d *Daemon) TryClient(facet, name string, grants ...string) (capnp.Client, error) {
	d.t.Helper()
	client, _, err := d.Connect(facet, name, grants...)
	return client, err
}

// Connect is TryClient on a connection that the test may cut, which looks to the daemon as if its client had died.
func (d *Daemon) Connect(facet, name string, grants ...string) (client capnp.Client, cut func(), err error) {
	d.t.Helper()
	ours, theirs := d.pair()
	defer ours.Close()
	d.must(d.parent.GrantServe(facet, vat.Client{Name: name, Grants: grants}, d.number(), theirs))
	theirs.Close()
	socket, err := vat.Socket(ours)
	d.must(err)
	conn := vat.Connect(socket, capnp.Client{})
	cut = cutter(socket, conn)
	d.t.Cleanup(cut)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	client, err = conn.Bootstrap(ctx)
	if err != nil {
		return capnp.Client{}, cut, err
	}
	d.t.Cleanup(client.Release)
	return client, cut, nil
}

// Holding returns a holding of a facet that the daemon serves to a client with this name. It accepts files, as those of
// daemons do.
func (d *Daemon) Holding(facet, name string) *vat.Holding {
	d.t.Helper()
	ours, theirs := d.pair()
	defer ours.Close()
	d.must(d.parent.GrantServe(facet, vat.Client{Name: name}, d.number(), theirs))
	theirs.Close()
	socket, err := vat.Socket(ours)
	d.must(err)
	conn := vat.Connect(socket, capnp.Client{}, guard.AcceptFiles(&guard.Files{}))
	d.t.Cleanup(cutter(socket, conn))
	holding := vat.NewHolding(facet)
	holding.Renew(conn)
	return holding
}

// Provide makes the test the provider of a facet that the daemon uses. It takes ownership of server. The returned
// function ends this instance of the provider; another Provide starts the next one.
func (d *Daemon) Provide(facet string, server capnp.Client) (cut func()) {
	d.t.Helper()
	ours, theirs := d.pair()
	defer ours.Close()
	defer theirs.Close()
	socket, err := vat.Socket(ours)
	d.must(err)
	cut = cutter(socket, vat.Connect(socket, server))
	d.t.Cleanup(cut)
	d.must(d.parent.GrantUse(facet, "test", d.number(), theirs))
	return cut
}

// cutter returns a function that ends a connection as the death of its process would, without a last message.
func cutter(socket net.Conn, conn *vat.Conn) func() {
	return func() {
		socket.Close()
		conn.Close()
	}
}

// Link connects the daemon to another daemon that serves the facet, as initd does: directly, as a client with this name
// and these grants.
func (d *Daemon) Link(facet string, provider *Daemon, name string, grants ...string) {
	d.t.Helper()
	served, used := d.pair()
	defer served.Close()
	defer used.Close()
	number := d.number()
	d.must(provider.parent.GrantServe(facet, vat.Client{Name: name, Grants: grants}, number, served))
	d.must(d.parent.GrantUse(facet, "test", number, used))
}

// Dir grants the directory at path.
func (d *Daemon) Dir(name, path string) {
	d.t.Helper()
	dir, err := os.Open(path)
	d.must(err)
	defer dir.Close()
	d.must(d.parent.GrantDir(name, dir))
}

// File grants an open file, which the test keeps and closes.
func (d *Daemon) File(name string, file *os.File) {
	d.t.Helper()
	d.must(d.parent.GrantFile(name, file))
}

// Setting grants the values of a policy setting.
func (d *Daemon) Setting(name string, values ...string) {
	d.t.Helper()
	d.must(d.parent.GrantSetting(name, values...))
}

// number returns the number for the daemon's next link.
func (d *Daemon) number() uint64 { return d.links.Add(1) }

func (d *Daemon) pair() (a, b *os.File) {
	d.t.Helper()
	a, b, err := plat.StreamPair()
	d.must(err)
	return a, b
}

func (d *Daemon) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}
