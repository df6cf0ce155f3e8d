package samgrd_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"nexus/capnpgen/registry"
	"nexus/capnpgen/service"
)

// patience bounds each wait. It is far longer than any wait should take.
const patience = 5 * time.Minute

// An observer records the name that each service it receives gives for itself. With a gate it answers only once the
// gate is open.
type observer struct {
	heard chan string
	calls chan struct{} // gets a value when a call starts
	gate  chan struct{} // nil: no gate
}

func newObserver() *observer {
	return &observer{heard: make(chan string, 64), calls: make(chan struct{}, 64)}
}

func (o *observer) OnRegistered(ctx context.Context, call registry.NameObserver_onRegistered) error {
	call.Go()
	o.calls <- struct{}{}
	if o.gate != nil {
		select {
		case <-o.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	answer, release := service.Service(call.Args().Service()).Version(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		o.heard <- "gone"
		return nil
	}
	name, err := res.Version()
	o.heard <- name
	return err
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("timed out")
		panic("unreachable")
	}
}

func watch(t *testing.T, manager registry.ServiceManager, name string, o *observer) (drop func()) {
	t.Helper()
	answer, release := manager.Watch(t.Context(), func(p registry.ServiceManager_watch_Params) error {
		if err := p.SetName(name); err != nil {
			return err
		}
		return p.SetObserver(registry.NameObserver_ServerToClient(o))
	})
	if _, err := answer.Struct(); err != nil {
		t.Fatalf("cannot watch %s: %v", name, err)
	}
	return release
}

func TestWatchTellsOfEachLife(t *testing.T) {
	d := start(t)
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "Updated"))
	before, after := newObserver(), newObserver()
	watch(t, manager, "Updated", before)
	drop := register(t, d.Client("Registrar", "updated", "Updated"), "first life")
	if got := receive(t, before.heard); got != "first life" {
		t.Errorf("heard %q, want the first instance", got)
	}
	watch(t, manager, "Updated", after)
	if got := receive(t, after.heard); got != "first life" {
		t.Errorf("a later watch heard %q, want the first instance at once", got)
	}
	drop()
	awaitUnknown(t, manager, "Updated")
	register(t, d.Client("Registrar", "updated", "Updated"), "second life")
	for _, o := range []*observer{before, after} {
		if got := receive(t, o.heard); got != "second life" {
			t.Errorf("heard %q, want the second instance", got)
		}
	}
}

// TestWatchesOfLongNamesKeepNothing has a client watch all that it may, each time a name of a mebibyte.
func TestWatchesOfLongNamesKeepNothing(t *testing.T) {
	d := start(t)
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "bundle/*"))
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC() // what a pool holds goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	for range 64 {
		defer watch(t, manager, "bundle/"+strings.Repeat("x", 1<<20), newObserver())()
	}
	after := inUse()
	for range 100 { // what the connection keeps for a moment
		if after <= before+32<<20 {
			return
		}
		after = inUse()
	}
	t.Errorf("64 watches keep %d MiB", (after-before)>>20)
}

// TestWatchTellsOfNothingTwice changes other names, which this watch must not report.
func TestWatchTellsOfNothingTwice(t *testing.T) {
	d := start(t)
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "Updated", "PackageFs"))
	updated, packages := newObserver(), newObserver()
	registrar := d.Client("Registrar", "updated", "Updated")
	register(t, registrar, "first life")
	watch(t, manager, "Updated", updated)
	watch(t, manager, "PackageFs", packages)
	receive(t, updated.heard)
	for range 10 {
		register(t, d.Client("Registrar", "packagefsd", "PackageFs"), "packagefsd")
		receive(t, packages.heard)
	}
	register(t, registrar, "second life")
	if got := receive(t, updated.heard); got != "second life" {
		t.Errorf("heard %q, want the second instance", got)
	}
}

func TestWatchOfNamesNotGrantedIsSilent(t *testing.T) {
	d := start(t)
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "PackageFs"))
	hidden, open := newObserver(), newObserver()
	watch(t, manager, "Updated", hidden)
	watch(t, manager, "PackageFs", open)
	register(t, d.Client("Registrar", "updated", "Updated"), "updated")
	register(t, d.Client("Registrar", "packagefsd", "PackageFs"), "packagefsd")
	if got := receive(t, open.heard); got != "packagefsd" {
		t.Errorf("heard %q, want packagefsd", got)
	}
	select {
	case <-hidden.calls:
		t.Error("heard of a name that is not granted")
	default:
	}
}

// TestSlowObserverHearsTheNewest has an observer that does not answer: it delays nothing, and gets the newest
// registration once it answers.
func TestSlowObserverHearsTheNewest(t *testing.T) {
	d := start(t)
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "Updated"))
	slow, prompt := newObserver(), newObserver()
	slow.gate = make(chan struct{})
	registrar := d.Client("Registrar", "updated", "Updated")
	register(t, registrar, "life 0")
	watch(t, manager, "Updated", slow)
	receive(t, slow.calls)
	watch(t, manager, "Updated", prompt)
	receive(t, prompt.heard)
	for range 20 {
		register(t, registrar, "one of many")
	}
	register(t, registrar, "newest life")
	for receive(t, prompt.heard) != "newest life" {
	}
	close(slow.gate)
	receive(t, slow.heard) // the call that was in flight
	if got := receive(t, slow.heard); got != "newest life" {
		t.Errorf("heard %q, want the newest instance and nothing between", got)
	}
}

func TestDroppedWatchIsSilent(t *testing.T) {
	d := start(t)
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "Updated"))
	gone := &ending{observer: newObserver(), over: make(chan struct{})}
	answer, release := manager.Watch(t.Context(), func(p registry.ServiceManager_watch_Params) error {
		if err := p.SetName("Updated"); err != nil {
			return err
		}
		return p.SetObserver(registry.NameObserver_ServerToClient(gone))
	})
	if _, err := answer.Struct(); err != nil {
		t.Fatal(err)
	}
	release()
	receive(t, gone.over) // samgrd released the observer
	register(t, d.Client("Registrar", "updated", "Updated"), "updated")
	select {
	case <-gone.calls:
		t.Error("heard after the subscription was dropped")
	default:
	}
}

// An ending observer closes its channel when its last reference is released.
type ending struct {
	*observer
	over chan struct{}
}

func (e *ending) Shutdown() { close(e.over) }

func TestNullObserverIsRefused(t *testing.T) {
	d := start(t)
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "Updated"))
	answer, release := manager.Watch(t.Context(),
		func(p registry.ServiceManager_watch_Params) error { return p.SetName("Updated") })
	defer release()
	if _, err := answer.Struct(); err == nil {
		t.Error("a null observer was accepted")
	}
}
