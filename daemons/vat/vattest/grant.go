package vattest

import (
	"context"
	"net"
	"os"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Client returns what the daemon serves as facet to a client of that name with these grants. The test need not release
// it.
func (d *Daemon) Client(facet, name string, grants ...string) capnp.Client {
	d.t.Helper()
	client, err := d.TryClient(facet, name, grants...)
	if err != nil {
		d.t.Fatalf("cannot get %s as %s: %v", facet, name, err)
	}
	return client
}

// TryClient is Client where the daemon may refuse to serve.
func (d *Daemon) TryClient(facet, name string, grants ...string) (capnp.Client, error) {
	d.t.Helper()
	client, _, err := d.Connect(facet, name, grants...)
	return client, err
}

// Connect is TryClient on a connection that the test may cut: afterwards the daemon sees that its client has died.
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

// Provide lets the test stand in as the provider of a facet that the daemon uses. It takes server over. What it returns
// ends this life of the provider; another Provide begins the next.
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

// cutter ends a connection as the death of its process does: nothing is said any more.
func cutter(socket net.Conn, conn *vat.Conn) func() {
	return func() {
		socket.Close()
		conn.Close()
	}
}

// Link joins the daemon to another one that serves the facet, as initd does: directly, as a client of that name with
// these grants.
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

// File grants an open file, which the test keeps.
func (d *Daemon) File(name string, file *os.File) {
	d.t.Helper()
	d.must(d.parent.GrantFile(name, file))
}

// Setting grants the values of a policy setting.
func (d *Daemon) Setting(name string, values ...string) {
	d.t.Helper()
	d.must(d.parent.GrantSetting(name, values...))
}

// number numbers the next link of this daemon.
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
