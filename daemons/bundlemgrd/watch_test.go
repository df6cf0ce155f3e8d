package bundlemgrd_test

import (
	"context"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/registry"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/updatestest"
)

// An observer records what it is told. With a gate it answers only once the gate is open.
type observer struct {
	t     *testing.T
	told  chan view
	calls chan struct{}
	gate  chan struct{} // nil: no gate
	over  chan struct{} // closed when the daemon releases the observer
}

func newObserver(t *testing.T) *observer {
	return &observer{t: t, told: make(chan view, 64), calls: make(chan struct{}, 64), over: make(chan struct{})}
}

func (o *observer) OnPublished(ctx context.Context, call bundle.PublicationObserver_onPublished) error {
	call.Go()
	o.calls <- struct{}{}
	if o.gate != nil {
		select {
		case <-o.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m, err := call.Args().Publication()
	if err != nil {
		return err
	}
	o.told <- viewOf(o.t, m)
	return nil
}

func (o *observer) Shutdown() { close(o.over) }

func (v *device) watch(o *observer) (drop func()) {
	v.t.Helper()
	answer, release := v.manager.Watch(v.t.Context(), func(p bundle.BundleMgr_watch_Params) error {
		return p.SetObserver(bundle.PublicationObserver_ServerToClient(o))
	})
	if _, err := answer.Struct(); err != nil {
		v.t.Fatalf("cannot watch: %v", err)
	}
	return release
}

func TestWatch(t *testing.T) {
	v := start(t)
	early, late := newObserver(t), newObserver(t)
	v.watch(early)
	digest := v.stage(bootctl.A, "1.0.0", service("1.0.0"))
	v.mustPublish(bootctl.A, digest, 1)
	if got := receive(t, early.told); got != v.list() {
		t.Errorf("told %+v, want %+v", got, v.list())
	}
	drop := v.watch(late)
	if got := receive(t, late.told); got != v.list() {
		t.Errorf("a later watch was told %+v, want %+v at once", got, v.list())
	}
	v.publish(bootctl.A, digest, 1) // the same again: no observer is called
	v.mustPublish(bootctl.A, digest, 2)
	for _, o := range []*observer{early, late} {
		if got := receive(t, o.told); got != v.list() {
			t.Errorf("told %+v, want %+v", got, v.list())
		}
	}
	drop()
	receive(t, late.over)
	v.mustPublish(bootctl.A, digest, 3)
	receive(t, early.told)
	if len(late.told) != 0 {
		t.Error("told after the subscription was dropped")
	}
}

// TestSlowObserverIsToldTheNewest has an observer that does not answer: it delays nothing, and gets the newest
// publication once it answers.
func TestSlowObserverIsToldTheNewest(t *testing.T) {
	v := start(t)
	slow := newObserver(t)
	slow.gate = make(chan struct{})
	digest := v.stage(bootctl.A, "1.0.0", service("1.0.0"))
	v.mustPublish(bootctl.A, digest, 1)
	v.watch(slow)
	receive(t, slow.calls)
	for boot := range uint64(10) {
		v.mustPublish(bootctl.A, digest, boot+2)
	}
	close(slow.gate)
	if got := receive(t, slow.told); got.boot != 1 {
		t.Errorf("first told of boot %d, want 1", got.boot)
	}
	if got := receive(t, slow.told); got.boot != 11 {
		t.Errorf("then told of boot %d, want 11 and nothing between", got.boot)
	}
}

// TestTheEndOfTheOnlyAppIsTold ends the only publication, that of an app: whoever runs it has to hear that.
func TestTheEndOfTheOnlyAppIsTold(t *testing.T) {
	v := start(t)
	o := newObserver(t)
	v.watch(o)
	app := v.ofApp("web")
	web := updatestest.Bundle("web", "1.0.0", nil, []byte("any bytes"), updatestest.Key(1))
	if reason := app.publish(bootctl.A, app.stage(bootctl.A, "1.0.0", web), 1); reason != "" {
		t.Fatal(reason)
	}
	receive(t, o.told)
	answer, release := v.publisher.RetainApps(t.Context(), nil)
	defer release()
	if _, err := answer.Struct(); err != nil {
		t.Fatal(err)
	}
	receive(t, o.told)
	if left := v.countOfApps(); left != 0 {
		t.Errorf("%d bundles of apps are left", left)
	}
}

func TestNullObserverIsRefused(t *testing.T) {
	v := start(t)
	answer, release := v.manager.Watch(t.Context(), nil)
	defer release()
	if _, err := answer.Struct(); err == nil {
		t.Error("a null observer was accepted")
	}
}

// TestRegistersInEachLife checks that the daemon registers its name with each instance of samgrd.
func TestRegistersInEachLife(t *testing.T) {
	v := start(t)
	for range 3 {
		r := &registrar{make(chan bundle.BundleMgr, 1)}
		end := v.daemon.Provide("Registrar", capnp.Client(registry.Registrar_ServerToClient(r)))
		service := receive(t, r.services)
		answer, release := service.List(t.Context(), nil)
		if _, err := answer.Struct(); err != nil {
			t.Errorf("cannot call what was registered: %v", err)
		}
		release()
		service.Release()
		end()
	}
}
