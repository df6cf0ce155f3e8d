package world_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	capupdate "nexus/capnpgen/update"
	"nexus/capnpgen/vote"
	lookup "nexus/daemons/discovery"
	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// visited boots a world with a visitor that passes its endowments to the test and keeps running.
func visited(t *testing.T) (*world.World, *vat.Endowments) {
	t.Helper()
	w := world.New(t)
	w.State = filepath.Join(w.Dir, "state") // so that every row of the authority table has a daemon
	w.Remote("operator", updatestest.Key(9).Public())
	endowed := make(chan *vat.Endowments, 1)
	w.Visit(func(ctx context.Context, b *vat.Endowments) error {
		endowed <- b
		<-ctx.Done()
		return nil
	})
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	select {
	case b := <-endowed:
		return w, b
	case <-time.After(limit):
		t.Fatal("the visitor did not start")
		return nil, nil
	}
}

// winding winds the clock while f waits.
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

// names lists the names that the visitor may look up.
func names(ctx context.Context, client capnp.Client) error {
	answer, release := registry.ServiceManager(client).List(ctx, nil)
	defer release()
	_, err := answer.Struct()
	return err
}

// TestALinkThatEndsIsMadeAgain has a client break the protocol, so that the provider's guard closes the connection.
// Both daemons keep running, and the client's next call finds a new link, each time.
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
	w.Await("samgrd: [warn] peer broke protocol peer=selftest reason=frame-too-big", 3)
}

// TestInitLogsWhomItRefuses has a client break the protocol towards initd itself, which logs that and keeps running.
func TestInitLogsWhomItRefuses(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, b := visited(t)
	err := b.Use("HealthVote").Call(ctx, func(client capnp.Client) error {
		answer, release := vote.HealthVote(client).Cast(ctx, func(p vote.HealthVote_cast_Params) error {
			return p.SetDetail(strings.Repeat("x", 5<<20))
		})
		defer release()
		_, err := answer.Struct()
		cancel() // once is enough
		return err
	})
	if !vat.Disconnected(err) && !errors.Is(err, context.Canceled) {
		t.Errorf("a message over the bound: %v, want disconnected", err)
	}
	w.Await("initd: [warn] peer broke protocol peer=selftest reason=frame-too-big", 1)
}

// updatedOf gives the visitor a link of its own to Updated.
func updatedOf(t *testing.T, ctx context.Context, w *world.World, b *vat.Endowments) capupdate.Updated {
	t.Helper()
	var client capnp.Client
	err := errors.New("not called")
	for err != nil && ctx.Err() == nil {
		winding(w, func() { client, err = lookup.Find(ctx, b, "Updated") }) // updated registers when it is ready
	}
	if err != nil {
		t.Fatalf("cannot find Updated: %v\n%s", err, w.Console())
	}
	return capupdate.Updated(client)
}

// TestSamgrdMayDieUnderAConversation kills samgrd while a set is being sent over a link that it introduced. Data in
// flight arrives, the capabilities stay valid, and the next call succeeds.
func TestSamgrdMayDieUnderAConversation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, b := visited(t)
	updated := updatedOf(t, ctx, w, b)
	defer updated.Release()
	archive := set(t, "1.1.0", "serve 1.1.0")
	answer, release := updated.StageSystem(ctx, func(p capupdate.Updated_stageSystem_Params) error {
		p.SetSizeBytes(uint64(len(archive)))
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	sink := res.Sink()
	send := func(part []byte) {
		if err := sink.Write(ctx,
			func(p capupdate.StageSink_write_Params) error { return p.SetBytes(part) }); err != nil {
			t.Fatal(err)
		}
	}
	half := len(archive) / 2
	send(archive[:half])
	w.Kill("samgrd")
	send(archive[half:])
	if err := sink.WaitStreaming(); err != nil {
		t.Fatalf("data in flight was lost: %v", err)
	}
	done, releaseDone := sink.Done(ctx, nil)
	defer releaseDone()
	if res, err := done.Struct(); err != nil || res.HasRefusal() {
		t.Fatalf("the stage failed: %v", err)
	}
	status, releaseStatus := updated.GetStatus(ctx, nil)
	defer releaseStatus()
	if _, err := status.Struct(); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// TestAProviderThatIsBornAgainIsFoundAgain kills the provider: the link is made again without a look-up.
func TestAProviderThatIsBornAgainIsFoundAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, b := visited(t)
	before := updatedOf(t, ctx, w, b)
	defer before.Release()
	w.Kill("updated")
	link := b.Use(lookup.Facet("Updated"))
	link.Lost(ctx, capnp.Client(before))
	var err error
	winding(w, func() {
		err = link.Call(ctx, func(client capnp.Client) error {
			answer, release := capupdate.Updated(client).GetStatus(ctx, nil)
			defer release()
			_, err := answer.Struct()
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRevokedNameIsGone revokes Updated from a client that holds it: its next call fails as disconnected, and it can no
// longer find the name, by a link or through samgrd, not even after a restart of the provider. Its other capabilities
// are not affected, nor is initd, which is another client of the same daemon.
func TestRevokedNameIsGone(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, b := visited(t)
	updated := updatedOf(t, ctx, w, b)
	defer updated.Release()
	manager, err := b.Use("ServiceManager").Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Release()
	o := w.Operator()
	if err := o.Revoke("selftest", "Updated"); err != nil {
		t.Fatal(err)
	}
	b.Use(lookup.Facet("Updated")).Lost(ctx, capnp.Client(updated))
	b.Use("ServiceManager").Lost(ctx, manager) // both ends were told; each closes in its own time
	answer, release := updated.GetStatus(ctx, nil)
	_, err = answer.Struct()
	release()
	if !vat.Disconnected(err) {
		t.Errorf("the next call: %v, want disconnected", err)
	}
	gone := func() {
		t.Helper()
		for name, there := range map[string]bool{"Updated": false, "BundleMgr": true} {
			var client capnp.Client
			var err error
			winding(w, func() {
				err = b.Use("ServiceManager").Call(ctx, func(capnp.Client) (err error) {
					client, err = lookup.Find(ctx, b, name)
					return err
				})
			})
			if (err == nil) != there {
				t.Errorf("%s is found: %v, want %v (%v)", name, err == nil, there, err)
			}
			client.Release()
		}
	}
	gone()
	w.Kill("updated")
	o.AwaitState("its next instance", 50*time.Millisecond, func(s world.State) bool { return s.Active == bootctl.A })
	gone()
}

// TestRevokedFacetStaysGone revokes a facet in a client's row of the authority table: no restart brings it back.
func TestRevokedFacetStaysGone(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, b := visited(t)
	client, err := b.Use("ServiceManager").Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()
	if err := w.Operator().Revoke("selftest", "ServiceManager"); err != nil {
		t.Fatal(err)
	}
	b.Use("ServiceManager").Lost(ctx, client)
	if err := names(ctx, client); !vat.Disconnected(err) {
		t.Errorf("the next call: %v, want disconnected", err)
	}
	w.Kill("samgrd")
	w.Kill("samgrd") // by then the previous start has made its links
	if client, there := b.Use("ServiceManager").Now(); there {
		client.Release()
		t.Error("a restart brought it back")
	}
}

// TestRevokeRefuses tries to revoke things that were not granted, and from processes that are not clients: all is
// refused and nothing is cut.
func TestRevokeRefuses(t *testing.T) {
	w, _ := started(t)
	o := w.Operator()
	for _, c := range [][2]string{
		{"updated", "HealthGate"}, {"nobody", "LogSink"}, {"initd", "Frobnicate"}, {"execd", "bundle/../x"},
		{"updated", "bundle/hello"}, {"updated", "bundle/*"},
		{"execd", "Updated"}, {"bundle/hello", "BundleMgr"}, {"", ""},
	} {
		if err := o.Revoke(c[0], c[1]); refusal.Of(err) != refusal.UnknownName {
			t.Errorf("revoke %s from %s: %v, want unknown-name", c[1], c[0], err)
		}
	}
	if err := o.Revoke("bundle/hello", "BundleMgr"); err == nil ||
		!strings.Contains(err.Error(), "revoked from execd") {
		t.Errorf("revoke from a bundle: %v", err)
	}
	update(t, o, set(t, "1.1.0", "serve 1.1.0"))
	o.AwaitState("the commit", 0, committed(bootctl.B))
}

// TestSamgrdMayDieUnderABundle has a bundle that found BundleMgr by name. The death of samgrd does not break that link.
// The death of bundlemgrd does, which also proves that the bundle was calling.
func TestSamgrdMayDieUnderABundle(t *testing.T) {
	w := world.New(t)
	key := updatestest.Key(1)
	finder := updatestest.Bundle("hello", "1.0.0", []string{nxb.AbilityService, nxb.AbilityNative},
		world.Program("find 1.0.0"), key)
	w.Start(updatestest.Archive(t, key, "1.0.0", finder.Asking("BundleMgr")), key.Public())
	w.Await("init: health ok (slot a)", 1)
	o := w.Operator()
	const crash = `execd: crash process=bundle:hello exit="exit code 1"`
	w.Kill("samgrd")
	began := w.Clock.Now()
	o.AwaitState("ten seconds", 100*time.Millisecond,
		func(world.State) bool { return w.Clock.Now().Sub(began) > 10*time.Second })
	if w.Shows(crash) {
		t.Errorf("the bundle lost BundleMgr:\n%s", w.Console())
	}
	w.Kill("bundlemgrd")
	winding(w, func() { w.Await(crash, 1) })
}
