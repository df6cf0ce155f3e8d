package world_test

import (
	"context"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/service"
	lookup "nexus/daemons/discovery"
	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// A bundleOf is a bundle of a set: its program's text, and what its manifest requests.
type bundleOf struct {
	name, program string
	asks          []string
}

// bundles boots a world with these bundles, which are all native services.
func bundles(t testing.TB, visitor func(context.Context, *vat.Endowments) error, list ...bundleOf) *world.World {
	t.Helper()
	w := world.New(t)
	if visitor != nil {
		w.Visit(visitor)
	}
	key := updatestest.Key(1)
	var made []updatestest.Made
	for _, b := range list {
		made = append(made, updatestest.Bundle(b.name, "1.0.0", []string{nxb.AbilityService, nxb.AbilityNative},
			world.Program(b.program), key).Asking(b.asks...))
	}
	w.Start(updatestest.Archive(t, key, "1.0.0", made...), key.Public())
	return w
}

// crashed returns the console line for a bundle whose call failed.
func crashed(name string) string {
	return `execd: crash process=bundle:` + name + ` exit="exit code 1"`
}

// passes winds a world's clock by ten seconds. In each of them, every program that has found a provider calls it.
func passes(w *world.World) {
	o := w.Operator()
	began := w.Clock.Now()
	o.AwaitState("ten seconds", 100*time.Millisecond,
		func(world.State) bool { return w.Clock.Now().Sub(began) > 10*time.Second })
}

// TestSamgrdMayDieUnderLinkedBundles has one bundle call a daemon, one call a bundle that takes links, and one call a
// bundle that does not. The death of samgrd breaks none of these calls. The death of the provider does, which proves
// that the calls were made.
func TestSamgrdMayDieUnderLinkedBundles(t *testing.T) {
	w := bundles(t, nil,
		bundleOf{"alpha", "link 1.0.0 bundle/beta", []string{"bundle/beta"}},
		bundleOf{"beta", "link 1.0.0 BundleMgr", []string{"BundleMgr"}},
		bundleOf{"gamma", "link 1.0.0 bundle/plain", []string{"bundle/*"}},
		bundleOf{"plain", "serve 1.0.0", nil})
	winding(w, func() { w.Await("init: health ok (slot a)", 1) })
	w.Kill("samgrd")
	passes(w)
	for _, name := range []string{"alpha", "beta", "gamma"} {
		if w.Shows(crashed(name)) {
			t.Errorf("%s lost its provider:\n%s", name, w.Console())
		}
	}
	w.Kill("bundlemgrd")
	winding(w, func() { w.Await(crashed("beta"), 1); w.Await(crashed("alpha"), 1) })
	if w.Shows(crashed("gamma")) {
		t.Errorf("gamma lost a bundle that still runs:\n%s", w.Console())
	}
}

// asVisitor boots bundles and a visitor, and returns the visitor's endowments.
func asVisitor(t *testing.T, list ...bundleOf) (*world.World, *vat.Endowments) {
	t.Helper()
	endowed := make(chan *vat.Endowments, 1)
	w := bundles(t, func(ctx context.Context, b *vat.Endowments) error {
		endowed <- b
		<-ctx.Done()
		return nil
	}, list...)
	return w, <-endowed
}

// find looks up a bundle until it has registered.
func find(t *testing.T, ctx context.Context, w *world.World, b *vat.Endowments, name string) (client capnp.Client) {
	t.Helper()
	winding(w, func() {
		for ctx.Err() == nil {
			var err error
			if client, err = lookup.Find(ctx, b, name); err == nil {
				return
			}
			time.Sleep(time.Millisecond) // it has not registered yet
		}
	})
	if !client.IsValid() {
		t.Fatalf("cannot find %s:\n%s", name, w.Console())
	}
	return client
}

// version calls a bundle.
func version(ctx context.Context, client capnp.Client) error {
	answer, release := service.Service(client).Version(ctx, nil)
	defer release()
	_, err := answer.Struct()
	return err
}

// TestRevokedBundleIsGone revokes one bundle of a pattern from a client: its next call fails as disconnected, and it
// can no longer find the bundle, by a link or through samgrd. The other bundles of the pattern are not affected.
func TestRevokedBundleIsGone(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, b := asVisitor(t, bundleOf{"hello", "serve 1.0.0", nil},
		bundleOf{"other", "link 1.0.0 bundle/hello", []string{"bundle/hello"}})
	hello := find(t, ctx, w, b, "bundle/hello")
	defer hello.Release()
	other := find(t, ctx, w, b, "bundle/other")
	defer other.Release()
	manager, err := b.Use("ServiceManager").Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Release()
	w.Kill("samgrd") // a client's own link does not pass through samgrd
	for _, client := range []capnp.Client{hello, other} {
		if err := version(ctx, client); err != nil {
			t.Errorf("a call after the death of samgrd: %v", err)
		}
	}
	if err := w.Operator().Revoke("selftest", "bundle/hello"); err != nil {
		t.Fatal(err)
	}
	b.Use(lookup.Facet("bundle/hello")).Lost(ctx, hello)
	if err := version(ctx, hello); !vat.Disconnected(err) {
		t.Errorf("the next call: %v, want disconnected", err)
	}
	b.Use("ServiceManager").Lost(ctx, manager)
	winding(w, func() {
		err = b.Use("ServiceManager").Call(ctx, func(capnp.Client) error {
			client, err := lookup.Find(ctx, b, "bundle/hello")
			client.Release()
			return err
		})
	})
	if refusal.Of(err) != refusal.UnknownName {
		t.Errorf("look-up after the revocation: %v, want unknown-name", err)
	}
	if err := version(ctx, other); err != nil {
		t.Errorf("another bundle: %v", err)
	}
	if w.Shows(crashed("other")) {
		t.Errorf("the revocation also hit another client:\n%s", w.Console())
	}
}

// TestRevokedFromThoseWhoRunThere revokes a bundle from execd, and thereby from every bundle that found it through
// execd's grant.
func TestRevokedFromThoseWhoRunThere(t *testing.T) {
	w := bundles(t, nil,
		bundleOf{"alpha", "link 1.0.0 bundle/beta", []string{"bundle/*"}},
		bundleOf{"beta", "link 1.0.0 BundleMgr", []string{"BundleMgr"}},
		bundleOf{"gamma", "link 1.0.0 bundle/plain", []string{"bundle/*"}},
		bundleOf{"plain", "serve 1.0.0", nil})
	winding(w, func() { w.Await("init: health ok (slot a)", 1) })
	o := w.Operator()
	if err := o.Revoke("execd", "bundle/beta"); err != nil {
		t.Fatal(err)
	}
	winding(w, func() { w.Await(crashed("alpha"), 1) })
	passes(w)
	for _, name := range []string{"beta", "gamma"} {
		if w.Shows(crashed(name)) {
			t.Errorf("%s lost something that was not revoked:\n%s", name, w.Console())
		}
	}
	if err := o.Revoke("execd", "bundle/*"); err != nil {
		t.Fatal(err)
	}
	winding(w, func() { w.Await(crashed("gamma"), 1) })
}

// TestProvidersKnowLinkedBundles has a bundle break the protocol on its link: the provider's own guard refuses it,
// under the bundle's name.
func TestProvidersKnowLinkedBundles(t *testing.T) {
	w := bundles(t, nil, bundleOf{"alpha", "rude 1.0.0 BundleMgr", []string{"BundleMgr"}},
		bundleOf{"beta", "link 1.0.0 BundleMgr", []string{"BundleMgr"}})
	winding(w, func() {
		w.Await("bundlemgrd: [warn] peer broke protocol peer=bundle:alpha reason=frame-too-big", 1)
		w.Await(crashed("alpha"), 1)
	})
	passes(w)
	if w.Shows(crashed("beta")) {
		t.Errorf("the wrong link was closed:\n%s", w.Console())
	}
}
