package vat_test

import (
	"context"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/vat"
)

// TestEndedLinkIsReported has a provider close a connection under its user: initd is told of that link and of no other.
func TestEndedLinkIsReported(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	provider, providerEnd := newChannel(t)
	holder, holderEnd := newChannel(t)
	serveNames(provider)
	linkAs(t, 7, providerEnd, holderEnd, "x")
	if _, err := whoAmI(ctx, holder.Use("TrustAnchors")); err != nil {
		t.Fatal(err)
	}
	provider.Close()
	select {
	case got := <-holderEnd.Ended():
		if want := (vat.Ended{Facet: "TrustAnchors", Link: 7}); got != want {
			t.Errorf("reported %v, want %v", got, want)
		}
	case <-ctx.Done():
		t.Fatal("the end was not reported")
	}
}

// TestCutEndsOneLink cuts one of two clients: its next call fails as disconnected, the other's succeeds.
func TestCutEndsOneLink(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	provider, providerEnd := newChannel(t)
	provider.Serve("TrustAnchors", func(c vat.Client) capnp.Client {
		return capnp.Client(keystore.TrustAnchors_ServerToClient(&anchors{name: c.Name, closed: make(chan struct{})}))
	})
	var holders [2]*vat.Endowments
	var clients [2]keystore.TrustAnchors
	for i := range holders {
		holder, end := newChannel(t)
		linkAs(t, uint64(1+i), providerEnd, end, "x")
		client, err := holder.Use("TrustAnchors").Get(ctx)
		if err != nil {
			t.Fatal(err)
		}
		holders[i], clients[i] = holder, keystore.TrustAnchors(client)
		defer client.Release()
	}
	if err := providerEnd.Cut(1); err != nil {
		t.Fatal(err)
	}
	holders[0].Use("TrustAnchors").Lost(ctx, capnp.Client(clients[0]))
	for i, want := range []bool{true, false} {
		answer, release := clients[i].List(ctx, nil)
		_, err := answer.Struct()
		release()
		if vat.Disconnected(err) != want {
			t.Errorf("client %d: got %v, want disconnected to be %v", i, err, want)
		}
	}
}

// TestPingIsAnswered pings a daemon before and after it is ready.
func TestPingIsAnswered(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	b, end := newChannel(t)
	for range 2 {
		if err := end.Ping(); err != nil {
			t.Fatal(err)
		}
		receive(t, ctx, end.Alive())
		if err := b.Ready(); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, ctx, end.Ready())
}
