package world_test

import (
	"context"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/registry"
	"nexus/daemons/world"
)

// A sleeper is an observer of names that never answers.
type sleeper struct{}

func (sleeper) OnRegistered(ctx context.Context, call registry.NameObserver_onRegistered) error {
	call.Go()
	<-ctx.Done()
	return ctx.Err()
}

// A hearer is an observer that reports when it is called.
type hearer struct{ heard chan struct{} }

func (h hearer) OnRegistered(context.Context, registry.NameObserver_onRegistered) error {
	h.heard <- struct{}{}
	return nil
}

// managerOf returns a bundle's ServiceManager, as if the bundle had been taken over.
func managerOf(t testing.TB, ctx context.Context, w *world.World, name string) registry.ServiceManager {
	t.Helper()
	client, err := w.ConnOf(name).Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Release)
	return registry.ServiceManager(client)
}

// getAs looks up a name as a bundle that takes no links does.
func getAs(t testing.TB, ctx context.Context, w *world.World, name, of string) capnp.Client {
	t.Helper()
	var found capnp.Client
	winding(w, func() {
		answer, release := managerOf(t, ctx, w, name).Get(ctx,
			func(p registry.ServiceManager_get_Params) error { return p.SetName(of) })
		defer release()
		res, err := answer.Struct()
		if err != nil {
			t.Errorf("%s cannot look up %s: %v", name, of, err)
			return
		}
		found = res.Service().AddRef()
	})
	t.Cleanup(found.Release)
	return found
}

// neighbours boots a bundle that is taken over, and two well-behaved ones, one of which never returns some of its
// calls.
func neighbours(t *testing.T) *world.World {
	t.Helper()
	w := bundles(t, nil,
		bundleOf{"alpha", "serve 1.0.0", []string{"BundleMgr", "bundle/slow"}},
		bundleOf{"beta", "serve 1.0.0", []string{"BundleMgr", "bundle/slow"}},
		bundleOf{"slow", "slow 1.0.0", nil})
	winding(w, func() { w.Await("init: health ok (slot a)", 1) })
	return w
}

// TestWatchesOfABundle has a bundle watch names as often as it may, with observers that never answer. The next bundle
// has its own quota of watches, and its observers are called.
func TestWatchesOfABundle(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := neighbours(t)
	greedy := managerOf(t, ctx, w, "alpha")
	winding(w, func() {
		for range 1100 {
			answer, _ := greedy.Watch(ctx, func(p registry.ServiceManager_watch_Params) error {
				if err := p.SetName("BundleMgr"); err != nil {
					return err
				}
				return p.SetObserver(registry.NameObserver_ServerToClient(sleeper{}))
			})
			answer.Struct() // the last ones are refused
		}
	})
	h := hearer{make(chan struct{}, 1)}
	var err error
	winding(w, func() {
		answer, _ := managerOf(t, ctx, w, "beta").Watch(ctx, func(p registry.ServiceManager_watch_Params) error {
			if err := p.SetName("BundleMgr"); err != nil {
				return err
			}
			return p.SetObserver(registry.NameObserver_ServerToClient(h))
		})
		_, err = answer.Struct()
	})
	if err != nil {
		t.Fatalf("another bundle cannot watch: %v", err)
	}
	select {
	case <-h.heard:
	case <-ctx.Done():
		t.Error("another bundle's observer was not called")
	}
}

// TestCallsThatABundleGivesUp has one bundle call another and cancel the calls, again and again. The called bundle is
// slow, and its library has no bounds; it must not be blamed, and it must still answer those who wait.
func TestCallsThatABundleGivesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	w := neighbours(t)
	impatient := bundle.BundleMgr(getAs(t, ctx, w, "alpha", "bundle/slow"))
	names := managerOf(t, ctx, w, "alpha")
	winding(w, func() {
		for range 60 {
			call, giveUp := context.WithCancel(ctx)
			for range 100 {
				impatient.List(call, nil)
			}
			answer, release := names.List(ctx, nil)
			answer.Struct() // when it returns, the earlier calls have been forwarded
			release()
			giveUp()
		}
	})
	patient := getAs(t, ctx, w, "beta", "bundle/slow")
	if err := version(ctx, patient); err != nil {
		t.Errorf("a call of another bundle to the slow one: %v\n%s", err, w.Console())
	}
	passes(w)
	if err := version(ctx, patient); err != nil {
		t.Errorf("ten seconds later: %v\n%s", err, w.Console())
	}
	if strings.Contains(w.Console(), "peer=bundle:slow") {
		t.Errorf("the slow bundle was blamed:\n%s", w.Console())
	}
}
