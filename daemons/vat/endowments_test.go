package vat_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/daemons/vat/vattest"
)

// limit bounds each wait in these tests.
const limit = 5 * time.Minute

// newChannel returns both ends of a new endowment channel.
func newChannel(t *testing.T) (*vat.Endowments, *vat.Parent) {
	t.Helper()
	ours, theirs, err := plat.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	parentEnd, err := vat.ChannelOf(ours)
	if err != nil {
		t.Fatal(err)
	}
	childEnd, err := vat.ChannelOf(theirs)
	if err != nil {
		t.Fatal(err)
	}
	b, p := vat.Endowed(childEnd), vat.NewParent(parentEnd)
	t.Cleanup(b.Close)
	t.Cleanup(p.Close)
	return b, p
}

// anchors is a server that answers with its client's name, as the role of its only anchor.
type anchors struct {
	name   string
	closed chan struct{}
}

func (a *anchors) List(_ context.Context, call keystore.TrustAnchors_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewAnchors(1)
	if err != nil {
		return err
	}
	return list.At(0).SetRole(a.name)
}

func (*anchors) Root(context.Context, keystore.TrustAnchors_root) error { return nil }

func (a *anchors) Shutdown() { close(a.closed) }

// serveNames makes a daemon serve TrustAnchors. The channel gets a value for each server that was shut down.
func serveNames(b *vat.Endowments) <-chan struct{} {
	closed := make(chan struct{})
	b.Serve("TrustAnchors", func(c vat.Client) capnp.Client {
		return capnp.Client(keystore.TrustAnchors_ServerToClient(&anchors{name: c.Name, closed: closed}))
	})
	return closed
}

// link grants facet from provider to holder, as link 1.
func link(t *testing.T, provider, holder *vat.Parent, as string) {
	t.Helper()
	linkAs(t, 1, provider, holder, as)
}

// linkAs is link with a link number.
func linkAs(t *testing.T, number uint64, provider, holder *vat.Parent, as string) {
	t.Helper()
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	if err := provider.GrantServe("TrustAnchors", vat.Client{Name: as}, number, theirs); err != nil {
		t.Fatal(err)
	}
	if err := holder.GrantUse("TrustAnchors", "provider", number, ours); err != nil {
		t.Fatal(err)
	}
}

// whoAmI asks the provider for the name under which it knows the holder.
func whoAmI(ctx context.Context, h *vat.Holding) (string, error) {
	client, err := h.Get(ctx)
	if err != nil {
		return "", err
	}
	defer client.Release()
	answer, release := keystore.TrustAnchors(client).List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return "", err
	}
	list, err := res.Anchors()
	if err != nil {
		return "", err
	}
	return list.At(0).Role()
}

func TestClientNameIsWhatInitdSaid(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	provider, providerEnd := newChannel(t)
	holder, holderEnd := newChannel(t)
	link(t, providerEnd, holderEnd, "updated") // The link may arrive before its server.
	serveNames(provider)
	if got, err := whoAmI(ctx, holder.Use("TrustAnchors")); err != nil || got != "updated" {
		t.Fatalf("got %q, %v", got, err)
	}
}

// TestACutLinkIsNotServed cuts a link that waits for its server while that is being made. The client may be hostile and
// keep its end.
func TestACutLinkIsNotServed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	provider, end := newChannel(t)
	taken := func(err error) { // the provider has read all that was granted
		t.Helper()
		if err := errors.Join(err, end.Ping()); err != nil {
			t.Fatal(err)
		}
		receive(t, ctx, end.Alive())
	}
	ours, theirs := vattest.Sockets(t)
	file, err := theirs.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	taken(end.GrantServe("TrustAnchors", vat.Client{Name: "client"}, 1, file))
	file.Close()
	provider.Serve("TrustAnchors", func(vat.Client) capnp.Client {
		taken(end.Cut(1))
		return capnp.Client(keystore.TrustAnchors_ServerToClient(&anchors{closed: make(chan struct{}, 1)}))
	})
	conn := vat.Connect(ours, capnp.Client{})
	defer conn.Close()
	if client, err := conn.Bootstrap(ctx); err == nil {
		client.Release()
		t.Error("a link that was cut is served")
	}
}

// TestANewerLinkStays has the provider of a link answer only after a newer link has taken its place, and then end it.
func TestANewerLinkStays(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	serve := func(name string) capnp.Client {
		return capnp.Client(keystore.TrustAnchors_ServerToClient(&anchors{name: name, closed: make(chan struct{}, 1)}))
	}
	ours, theirs := vattest.Sockets(t)
	older := vat.Connect(ours, capnp.Client{})
	h := vat.NewHolding("TrustAnchors")
	h.Renew(older)
	newer, _ := vattest.Connect(t, serve("newer"))
	h.Renew(newer)
	client, err := h.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()

	late := vat.Connect(theirs, serve("older"))
	bootstrap, err := older.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bootstrap.Release()
	late.Close()
	receive(t, ctx, older.Done())
	for range 100 { // the holding hears of both on goroutines of its own
		if got, err := whoAmI(ctx, h); err != nil || got != "newer" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestHoldingOutlivesItsProvider(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	first, firstEnd := newChannel(t)
	holder, holderEnd := newChannel(t)
	serveNames(first)
	link(t, firstEnd, holderEnd, "first life")
	h := holder.Use("TrustAnchors")
	if got, err := whoAmI(ctx, h); err != nil || got != "first life" {
		t.Fatalf("got %q, %v", got, err)
	}
	client, err := h.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()

	first.Close()
	h.Lost(ctx, client)
	answer, release := keystore.TrustAnchors(client).List(ctx, nil)
	_, err = answer.Struct()
	release()
	if !vat.Disconnected(err) {
		t.Fatalf("call on the dead capability: got %v, want disconnected", err)
	}

	second, secondEnd := newChannel(t)
	serveNames(second)
	link(t, secondEnd, holderEnd, "second life")
	if got, err := whoAmI(ctx, h); err != nil || got != "second life" {
		t.Fatalf("got %q, %v", got, err)
	}
}

// TestCallGoesOnInTheNextLife ends the provider during a call. The call must be made again to the provider's next
// instance. Any other error goes to the caller.
func TestCallGoesOnInTheNextLife(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	first, firstEnd := newChannel(t)
	holder, holderEnd := newChannel(t)
	serveNames(first)
	link(t, firstEnd, holderEnd, "first life")
	h := holder.Use("TrustAnchors")
	calls := 0
	err := h.Call(ctx, func(client capnp.Client) error {
		calls++
		if calls == 1 {
			first.Close()
			second, secondEnd := newChannel(t)
			serveNames(second)
			link(t, secondEnd, holderEnd, "second life")
		}
		answer, release := keystore.TrustAnchors(client).List(ctx, nil)
		defer release()
		_, err := answer.Struct()
		return err
	})
	if err != nil || calls != 2 {
		t.Errorf("got %v after %d calls, want success with the second", err, calls)
	}
	refused := errors.New("no")
	calls = 0
	if err := h.Call(ctx, func(capnp.Client) error { calls++; return refused }); err != refused || calls != 1 {
		t.Errorf("got %v after %d calls, want the refusal after one", err, calls)
	}
}

func TestEachRunsOnceForEveryLife(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	holder, holderEnd := newChannel(t)
	began, ended := make(chan struct{}), make(chan struct{})
	go holder.Use("TrustAnchors").Each(ctx, func(ctx context.Context, _ capnp.Client) {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
	})
	for range 3 {
		provider, providerEnd := newChannel(t)
		serveNames(provider)
		link(t, providerEnd, holderEnd, "x")
		receive(t, ctx, began)
		provider.Close()
		receive(t, ctx, ended)
	}
}

func TestEndOfChannelEndsEverything(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	provider, providerEnd := newChannel(t)
	holder, holderEnd := newChannel(t)
	given := serveNames(provider)
	link(t, providerEnd, holderEnd, "x")
	if _, err := whoAmI(ctx, holder.Use("TrustAnchors")); err != nil {
		t.Fatal(err)
	}
	providerEnd.Close()
	receive(t, ctx, provider.Done())
	if _, err := whoAmI(ctx, holder.Use("TrustAnchors")); err != nil {
		t.Errorf("the provider cannot answer after the order to stop: %v", err)
	}
	provider.Close()
	receive(t, ctx, given)
	if _, err := provider.Dir(ctx, "never"); err == nil {
		t.Error("a resource came over a closed channel")
	}
}

func TestResources(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	b, end := newChannel(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "inside"), []byte("here"), 0o600); err != nil {
		t.Fatal(err)
	}
	handle, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	memory, err := plat.Memory("record")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	for _, err := range []error{end.GrantSetting("tries", "2"), end.GrantFile("record", memory),
		end.GrantDir("system", handle)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := b.Dir(ctx, "system")
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := root.ReadFile("inside"); err != nil || string(raw) != "here" {
		t.Errorf("got %q, %v", raw, err)
	}
	if _, err := root.Open("../" + filepath.Base(dir) + "/inside"); err == nil {
		t.Error("a path outside the root can be opened")
	}
	if values, err := b.Setting(ctx, "tries"); err != nil || len(values) != 1 || values[0] != "2" {
		t.Errorf("got %q, %v", values, err)
	}
	if _, given := b.Given("record"); !given {
		t.Error("the file granted before the directory is missing")
	}
	if _, given := b.Given("factory"); given {
		t.Error("got a file that was not granted")
	}
}

func TestReady(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	b, end := newChannel(t)
	select {
	case <-end.Ready():
		t.Fatal("ready before the daemon reported it")
	default:
	}
	if err := b.Ready(); err != nil {
		t.Fatal(err)
	}
	receive(t, ctx, end.Ready())
}

func receive[T any](t *testing.T, ctx context.Context, c <-chan T) {
	t.Helper()
	select {
	case <-c:
	case <-ctx.Done():
		t.Fatal("timed out")
	}
}

// TestRefusalIsReported lets a client break the protocol on a granted socket: the daemon is told, with the name that
// initd gave the client.
func TestRefusalIsReported(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	provider, providerEnd := newChannel(t)
	type refusal struct {
		peer   string
		reason guard.Reason
	}
	refused := make(chan refusal, 1)
	provider.OnRefused(func(peer string, reason guard.Reason) { refused <- refusal{peer, reason} })
	serveNames(provider)
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	if err := providerEnd.GrantServe("TrustAnchors", vat.Client{Name: "nx"}, 1, theirs); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if _, err := ours.Write([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-refused:
		if want := (refusal{"nx", guard.TooManySegments}); got != want {
			t.Errorf("reported %v, want %v", got, want)
		}
	case <-ctx.Done():
		t.Fatal("the refusal was not reported")
	}
}

// TestFilesOnlyWhereTheyAreServed links a client with a facet that accepts descriptors and with one that does not.
func TestFilesOnlyWhereTheyAreServed(t *testing.T) {
	b, parent := newChannel(t)
	clients := make(chan vat.Client)
	serve := func(c vat.Client) capnp.Client { clients <- c; return capnp.Client{} }
	b.Serve("Plain", serve)
	b.ServeFiles("Files", serve)
	for facet, accepts := range map[string]bool{"Plain": false, "Files": true} {
		ours, theirs, err := plat.StreamPair()
		if err != nil {
			t.Fatal(err)
		}
		defer ours.Close()
		defer theirs.Close()
		if err := parent.GrantServe(facet, vat.Client{Name: "client"}, 1, theirs); err != nil {
			t.Fatal(err)
		}
		if c := <-clients; (c.Files != nil) != accepts {
			t.Errorf("%s: accepts files: %t", facet, c.Files != nil)
		}
	}
}
