package samgrd_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/capnpgen/registry"
	"nexus/capnpgen/service"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/samgrd"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/refusal"
)

func start(t *testing.T) *vattest.Daemon {
	d := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return samgrd.Run(ctx, b, plat.Host{Clock: plat.RealClock{}})
	})
	d.Provide("LogSink", capnp.Client(journal.LogSink_ServerToClient(deaf{})))
	return d
}

// A deaf sink discards every record.
type deaf struct{}

func (deaf) Write(context.Context, journal.LogSink_write) error   { return nil }
func (deaf) Marker(context.Context, journal.LogSink_marker) error { return nil }
func (deaf) Sync(context.Context, journal.LogSink_sync) error     { return nil }

func (deaf) ForSender(context.Context, journal.LogSink_forSender) error { return nil }

// A named service answers with its name, so that a test knows which one it called.
type named string

func (n named) Version(_ context.Context, call service.Service_version) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetVersion(string(n))
}

func (named) Health(context.Context, service.Service_health) error { return nil }

func serviceNamed(name string) capnp.Client {
	return capnp.Client(service.Service_ServerToClient(named(name)))
}

func nameOf(t *testing.T, client capnp.Client) string {
	t.Helper()
	answer, release := service.Service(client).Version(t.Context(), nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatalf("cannot ask the service: %v", err)
	}
	name, err := res.Version()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// register registers a service with the registrar. The returned function drops the registration.
func register(t *testing.T, registrar capnp.Client, name string) (drop func()) {
	t.Helper()
	answer, release := registry.Registrar(registrar).Register(t.Context(),
		func(p registry.Registrar_register_Params) error {
			return p.SetService(serviceNamed(name))
		})
	if _, err := answer.Struct(); err != nil {
		t.Fatalf("cannot register %s: %v", name, err)
	}
	return release
}

// get looks up a name and asks the service for its own name.
func get(t *testing.T, manager registry.ServiceManager, name string) (string, error) {
	t.Helper()
	found, err := lookUp(t, manager, name)
	if err != nil {
		return "", err
	}
	defer found.Release()
	return nameOf(t, found), nil
}

func lookUp(t *testing.T, manager registry.ServiceManager, name string) (capnp.Client, error) {
	t.Helper()
	answer, release := manager.Get(t.Context(),
		func(p registry.ServiceManager_get_Params) error { return p.SetName(name) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return capnp.Client{}, err
	}
	return res.Service().AddRef(), nil
}

func wantUnknown(t *testing.T, manager registry.ServiceManager, name string) string {
	t.Helper()
	_, err := get(t, manager, name)
	if refusal.Of(convert.Excepted(err)) != refusal.UnknownName {
		t.Fatalf("get %q: %v, want unknown-name", name, err)
	}
	return err.Error()
}

// awaitUnknown waits until samgrd has removed the name; each attempt is a call.
func awaitUnknown(t *testing.T, manager registry.ServiceManager, name string) {
	t.Helper()
	for range 10000 {
		found, err := lookUp(t, manager, name)
		if err != nil {
			wantUnknown(t, manager, name)
			return
		}
		found.Release()
	}
	t.Fatalf("%s is still registered", name)
}

func list(t *testing.T, manager registry.ServiceManager) []string {
	t.Helper()
	answer, release := manager.List(t.Context(), nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	texts, err := res.Names()
	if err != nil {
		t.Fatal(err)
	}
	names, err := vat.Texts(texts)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func attenuate(t *testing.T, manager registry.ServiceManager, names ...string) (registry.ServiceManager, error) {
	t.Helper()
	answer, release := manager.Attenuate(t.Context(), func(p registry.ServiceManager_attenuate_Params) error {
		return vat.SetTexts(p.NewNames, names)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return registry.ServiceManager{}, err
	}
	smaller := res.Manager().AddRef()
	t.Cleanup(smaller.Release)
	return smaller, nil
}

func TestGetAndListKnowOnlyWhatIsGranted(t *testing.T) {
	d := start(t)
	register(t, d.Client("Registrar", "updated", "Updated"), "updated")
	register(t, d.Client("Registrar", "packagefsd", "PackageFs"), "packagefsd")
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "PackageFs", "BundleMgr", "bundle/*"))

	if got, err := get(t, manager, "PackageFs"); err != nil || got != "packagefsd" {
		t.Errorf("get of a granted name: %q, %v", got, err)
	}
	notGranted := wantUnknown(t, manager, "Updated")
	notRegistered := wantUnknown(t, manager, "BundleMgr")
	neither := wantUnknown(t, manager, strings.Repeat("x", 1<<20))
	if notGranted != notRegistered || neither != notRegistered {
		t.Errorf("not granted answers %q, not registered %q: they must be equal", notGranted, notRegistered)
	}
	if got, want := list(t, manager), []string{"PackageFs"}; !slices.Equal(got, want) {
		t.Errorf("list: %q, want %q", got, want)
	}
}

func TestAttenuateNeverAddsNames(t *testing.T) {
	d := start(t)
	register(t, d.Client("Registrar", "updated", "Updated"), "updated")
	register(t, d.Client("Registrar", "packagefsd", "PackageFs"), "packagefsd")
	manager := registry.ServiceManager(d.Client("ServiceManager", "selftest", "Updated", "PackageFs"))

	smaller, err := attenuate(t, manager, "Updated", "HealthGate")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, smaller), []string{"Updated"}; !slices.Equal(got, want) {
		t.Errorf("list: %q, want %q", got, want)
	}
	wantUnknown(t, smaller, "PackageFs")
	again, err := attenuate(t, smaller, "Updated", "PackageFs")
	if err != nil {
		t.Fatal(err)
	}
	wantUnknown(t, again, "PackageFs")

	if _, err := attenuate(t, manager, make([]string, 64)...); err != nil {
		t.Errorf("attenuate to 64 names: %v", err)
	}
	if _, err := attenuate(t, manager, make([]string, 65)...); err == nil {
		t.Error("attenuate to 65 names was accepted")
	}
}

func TestLaterRegistrationReplaces(t *testing.T) {
	d := start(t)
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "Updated"))
	dropFirst := register(t, d.Client("Registrar", "updated", "Updated"), "first life")
	dropSecond := register(t, d.Client("Registrar", "updated", "Updated"), "second life")

	if got, err := get(t, manager, "Updated"); err != nil || got != "second life" {
		t.Errorf("get: %q, %v, want the second instance", got, err)
	}
	dropFirst()
	for range 100 { // until samgrd has processed the drop
		if got, err := get(t, manager, "Updated"); err != nil || got != "second life" {
			t.Fatalf("after the first instance was dropped: %q, %v, want the second", got, err)
		}
	}
	dropSecond()
	awaitUnknown(t, manager, "Updated")
}

func TestRegistrationEndsWithItsConnection(t *testing.T) {
	d := start(t)
	registrar, cut, err := d.Connect("Registrar", "updated", "Updated")
	if err != nil {
		t.Fatal(err)
	}
	register(t, registrar, "updated")
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "Updated"))
	if _, err := get(t, manager, "Updated"); err != nil {
		t.Fatal(err)
	}
	cut()
	awaitUnknown(t, manager, "Updated")
}

func TestNullServiceIsRefused(t *testing.T) {
	d := start(t)
	registrar := registry.Registrar(d.Client("Registrar", "updated", "Updated"))
	answer, release := registrar.Register(t.Context(), nil)
	defer release()
	if _, err := answer.Struct(); err == nil || !strings.Contains(err.Error(), "cannot register: the service is null") {
		t.Errorf("register of null: %v", err)
	}
}

func TestRegistrarNeedsExactlyOneName(t *testing.T) {
	d := start(t)
	for _, names := range [][]string{nil, {"Updated", "PackageFs"}} {
		registrar, err := d.TryClient("Registrar", "updated", names...)
		if err != nil {
			continue
		}
		answer, release := registry.Registrar(registrar).Register(t.Context(),
			func(p registry.Registrar_register_Params) error {
				return p.SetService(serviceNamed("updated"))
			})
		if _, err := answer.Struct(); err == nil {
			t.Errorf("a registrar was served for the names %q", names)
		}
		release()
	}
}

func TestBundleRegistrar(t *testing.T) {
	d := start(t)
	bundles := registry.BundleRegistrar(d.Client("BundleRegistrar", "execd"))
	manager := registry.ServiceManager(d.Client("ServiceManager", "execd", "bundle/*"))

	registrar := forBundle(t, bundles, "hello.app")
	drop := register(t, registrar, "hello")
	if got, err := get(t, manager, "bundle/hello.app"); err != nil || got != "hello" {
		t.Errorf("get: %q, %v", got, err)
	}
	drop()
	awaitUnknown(t, manager, "bundle/hello.app")

	for _, bad := range []string{"", "a/b", "../Updated", "A", strings.Repeat("a", 65)} {
		answer, release := bundles.ForBundle(t.Context(), func(p registry.BundleRegistrar_forBundle_Params) error {
			return p.SetBundle(bad)
		})
		if _, err := answer.Struct(); refusal.Of(convert.Excepted(err)) != refusal.BadBundleName {
			t.Errorf("registrar for %q: %v, want bad-bundle-name", bad, err)
		}
		release()
	}
}

func forBundle(t *testing.T, bundles registry.BundleRegistrar, name string) capnp.Client {
	t.Helper()
	answer, release := bundles.ForBundle(t.Context(),
		func(p registry.BundleRegistrar_forBundle_Params) error { return p.SetBundle(name) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	registrar := capnp.Client(res.Registrar().AddRef())
	t.Cleanup(registrar.Release)
	return registrar
}
