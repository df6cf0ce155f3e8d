package world_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/updatestest"
)

// visited boots a world with a visitor that hands its birth to the test and stays.
func visited(t *testing.T) (*world.World, *vat.Birth) {
	t.Helper()
	w := world.New(t)
	births := make(chan *vat.Birth, 1)
	w.Visit(func(ctx context.Context, b *vat.Birth) error {
		births <- b
		<-ctx.Done()
		return nil
	})
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	select {
	case b := <-births:
		return w, b
	case <-time.After(limit):
		t.Fatal("the visitor was not born")
		return nil, nil
	}
}

// winding keeps the clock going while f waits.
func winding(w *world.World, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
			w.Clock.Wind(50 * time.Millisecond)
		}
	}
}

// names lists what the visitor may look up.
func names(ctx context.Context, client capnp.Client) error {
	answer, release := registry.ServiceManager(client).List(ctx, nil)
	defer release()
	_, err := answer.Struct()
	return err
}

// TestALinkThatEndsIsMadeAgain has a client break the protocol, for which the provider's guard closes the connection. Both daemons live
// on, and the client's next call finds the link made again, each time.
func TestALinkThatEndsIsMadeAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, b := visited(t)
	h := b.Use("ServiceManager")
	for range 3 {
		client, err := h.Get(ctx)
		if err != nil {
			t.Fatal(err)
		}
		answer, release := registry.ServiceManager(client).Get(ctx, func(p registry.ServiceManager_get_Params) error {
			return p.SetName(strings.Repeat("x", 5<<20))
		})
		_, err = answer.Struct()
		release()
		if !vat.Disconnected(err) {
			t.Fatalf("a message over the bound: %v, want disconnected", err)
		}
		winding(w, func() {
			h.Lost(ctx, client)
			client.Release()
			err = h.Call(ctx, func(client capnp.Client) error { return names(ctx, client) })
		})
		if err != nil {
			t.Fatalf("the link is not made again: %v\n%s", err, w.Console())
		}
	}
	w.Await("initd: [warn] link made again holder=selftest facet=ServiceManager provider=samgrd", 3)
}
