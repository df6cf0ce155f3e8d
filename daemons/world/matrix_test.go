package world_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	lookup "nexus/daemons/discovery"
	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// selftest is the row of the authority table that the world's visitor has.
const selftest = "selftest"

// granted lists the facets of each daemon independently of the authority table. A change that widens a row must be
// repeated here.
var granted = map[string][]string{
	"logd":       {"StateFs"},
	"samgrd":     {"LogSink", "Introducer"},
	"statefsd":   {"LogSink"},
	"keystored":  {"LogSink"},
	"bundlemgrd": {"LogSink", "Registrar"},
	"packagefsd": {"LogSink", "Registrar", "BundleMgr"},
	"patchd":     {"LogSink"},
	"updated": {"LogSink", "Registrar", "Verifier", "SetAdmission", "AppVerifier", "AppAdmission", "Patcher",
		"PowerJudge", "SlotPublisher", "StateFs"},
	"fetchd":  {"LogSink", "UpdateStage"},
	"execd":   {"LogSink", "BundleMgr", "ServiceManager", "BundleRegistrar", "BundleIntroducer", "BundleSockets"},
	"remoted": {"LogSink", "OperatorGate"},
	selftest:  {"LogSink", "ServiceManager", "Journal", "AppInstaller", "HealthVote"},
}

// findable lists the names that each client may find.
var findable = map[string][]string{
	"execd":  {"BundleMgr", "PackageFs", "bundle/hello"},
	selftest: {"BundleMgr", "PackageFs", "Updated", "bundle/hello"},
}

// A method is a method of the schema.
type method struct {
	face, name string
	id         uint64
	ordinal    uint16
}

// methods returns all methods of the schema, according to its lock file.
func methods(t *testing.T) []method {
	t.Helper()
	lock, err := os.ReadFile("../../schema/API.lock")
	if err != nil {
		t.Fatal(err)
	}
	var all []method
	for line := range strings.Lines(string(lock)) {
		words := strings.Fields(line)
		if len(words) < 4 || words[2] != "method" {
			continue
		}
		id, errID := strconv.ParseUint(words[0], 0, 64)
		ordinal, errOrdinal := strconv.ParseUint(strings.TrimPrefix(words[1], "@"), 10, 16)
		face, name, _ := strings.Cut(words[3], ".")
		if err := errors.Join(errID, errOrdinal); err != nil {
			t.Fatal(err)
		}
		all = append(all, method{face, name, id, uint16(ordinal)})
	}
	return all
}

// faces returns the interfaces that a facet or name provides: its own, and those that it extends.
func faces(facet string) []string {
	switch {
	case facet == "StateFs":
		return []string{"StateFs", "StateReader"}
	case facet == "AppInstaller":
		return []string{"AppInstaller", "AppList"}
	case facet == "AppVerifier":
		return []string{"Verifier"}
	case facet == "AppAdmission":
		return []string{"SetAdmission"}
	case facet == "Updated":
		return []string{"Updated", "UpdateStatus"}
	case facet == "AppUpdate":
		return []string{"AppUpdate", "Updated", "UpdateStatus", "UpdateRecovery"}
	case strings.HasPrefix(facet, "bundle/"):
		return []string{"Service"}
	}
	return []string{facet}
}

// A trespasser calls methods that it should not reach, and counts.
type trespasser struct {
	t       *testing.T
	methods []method
	tried   int
	reached int
}

// try calls every method of every interface on a capability, without parameters. The methods of the facet's interfaces
// must exist, whatever they return; all others must not. Methods in spare are not called, because they would stop the
// system.
func (p *trespasser) try(who, facet string, client capnp.Client, spare ...string) {
	p.t.Helper()
	own := faces(facet)
	for _, m := range p.methods {
		if slices.Contains(spare, m.name) && slices.Contains(own, m.face) {
			continue
		}
		p.tried++
		want := slices.Contains(own, m.face)
		reached := reaches(p.t.Context(), client, m, patience(want))
		if reached {
			p.reached++
		}
		if reached != want {
			p.t.Errorf("%s, holding %s, calls %s.%s: reached is %t, want %t", who, facet, m.face, m.name, reached, want)
		}
	}
}

// patience is how long a call may take. Some existing methods wait for something that never happens, so for them no
// answer is a valid result. A missing method is always reported, however slow the machine is.
func patience(there bool) time.Duration {
	if there {
		return 100 * time.Millisecond
	}
	return limit
}

// reaches reports whether the capability has the method.
func reaches(ctx context.Context, client capnp.Client, m method, patience time.Duration) bool {
	return !exc.IsType(call(ctx, client, m, patience), exc.Unimplemented)
}

// call calls a method by its number, without parameters.
func call(ctx context.Context, client capnp.Client, m method, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, release := client.SendCall(ctx, capnp.Send{
		Method:   capnp.Method{InterfaceID: m.id, MethodID: m.ordinal},
		ArgsSize: capnp.ObjectSize{DataSize: 32, PointerCount: 4},
	})
	defer release()
	_, err := answer.Struct()
	return err
}

// TestTakenOverDaemonHasItsRow takes over each daemon: it was granted exactly what its row says, and of all methods of
// all interfaces exactly those of its grants can be reached.
func TestTakenOverDaemonHasItsRow(t *testing.T) {
	all := methods(t)
	var facets []string
	for _, m := range all {
		if !slices.Contains(facets, m.face) {
			facets = append(facets, m.face)
		}
	}
	tried, reached := 0, 0
	for who, row := range granted {
		t.Run(who, func(t *testing.T) {
			w, _ := visited(t)
			p := &trespasser{t: t, methods: all}
			holdsNoOther(t, endowmentsOf(t, w, who), who, facets, row)
			for _, facet := range row {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				client, err := endowmentsOf(t, w, who).Use(facet).Get(ctx)
				cancel()
				if err != nil {
					t.Fatalf("%s does not hold %s: %v", who, facet, err)
				}
				p.try(who, facet, client, "done") // done stops the system
				client.Release()
			}
			tried, reached = tried+p.tried, reached+p.reached
		})
	}
	t.Logf("%d daemons tried %d calls; %d reached a method, all of them granted", len(granted), tried, reached)
}

// endowmentsOf waits until the daemon runs and returns its endowments.
func endowmentsOf(t *testing.T, w *world.World, who string) *vat.Endowments {
	t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if b := w.EndowmentsOf(who); b != nil {
			return b
		}
		w.Clock.Wind(time.Millisecond)
	}
	t.Fatalf("%s did not start", who)
	return nil
}

// settle is how long to wait for an endowment that must not arrive.
const settle = 250 * time.Millisecond

// holdsNoOther checks that the daemon holds none of the facets outside its row.
func holdsNoOther(t *testing.T, b *vat.Endowments, who string, facets, row []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	var looking sync.WaitGroup
	for _, facet := range facets {
		if slices.Contains(row, facet) {
			continue
		}
		looking.Go(func() {
			if client, err := b.Use(facet).Get(ctx); err == nil {
				client.Release()
				t.Errorf("%s holds %s", who, facet)
			}
		})
	}
	looking.Wait()
}

// guesses returns the names that an attacker might try.
func guesses(all []method) []string {
	names := []string{"", "*", "bundle/*", "bundle/", "bundle/none", "bundle/hello", "Admin", "StateFs", "../Updated",
		"service:Updated"}
	for who := range granted {
		names = append(names, who)
	}
	for _, m := range all {
		if !slices.Contains(names, m.face) {
			names = append(names, m.face)
		}
	}
	return names
}

// TestNamesLeadWhereTheyMay has each client that may look up names guess: it finds exactly the granted names, both
// ways, and each provides the interface of its name and no other.
func TestNamesLeadWhereTheyMay(t *testing.T) {
	all := methods(t)
	guessed, found := 0, 0
	for who, names := range findable {
		t.Run(who, func(t *testing.T) {
			w, _ := visited(t)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			manager, err := endowmentsOf(t, w, who).Use("ServiceManager").Get(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Release()
			p := &trespasser{t: t, methods: all}
			for _, name := range guesses(all) {
				guessed++
				may := slices.Contains(names, name)
				service, err := get(ctx, registry.ServiceManager(manager), name, may)
				if may != (err == nil) {
					t.Errorf("%s looks up %q: %v", who, name, err)
				}
				if err != nil {
					if refusal.Of(convert.Excepted(err)) != refusal.UnknownName {
						t.Errorf("%s looks up %q: got %v, want %s", who, name, err, refusal.UnknownName)
					}
					if client, err := lookup.Find(ctx, endowmentsOf(t, w, who), name); err == nil {
						client.Release()
						t.Errorf("%s was introduced to %q", who, name)
					}
					continue
				}
				found++
				p.try(who, name, service)
				service.Release()
			}
		})
	}
	t.Logf("%d names guessed, %d found, all of them granted", guessed, found)
}

// TestABundleHasWhatItsManifestAsks takes over a bundle whose manifest requests more than execd may look up. Of all
// names it finds exactly those that are in both.
func TestABundleHasWhatItsManifestAsks(t *testing.T) {
	all := methods(t)
	w := bundles(t, nil,
		bundleOf{"hello", "serve 1.0.0", []string{"BundleMgr", "bundle/other", "Updated", "HealthGate",
			"!bundle/more"}},
		bundleOf{"other", "serve 1.0.0", nil}, bundleOf{"more", "serve 1.0.0", nil})
	w.Await("init: health ok (slot a)", 1)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	manager, err := w.ConnOf("hello").Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Release()
	p := &trespasser{t: t, methods: all}
	p.try("bundle hello", "ServiceManager", manager)
	for _, name := range append(guesses(all), "bundle/other", "bundle/more", "!bundle/more", "PackageFs") {
		may := name == "BundleMgr" || name == "bundle/other"
		service, err := get(ctx, registry.ServiceManager(manager), name, may)
		if may != (err == nil) || err != nil && refusal.Of(convert.Excepted(err)) != refusal.UnknownName {
			t.Errorf("the bundle looks up %q: %v", name, err)
		}
		if err == nil {
			p.try("bundle hello", name, service)
			service.Release()
		}
	}
	t.Logf("a bundle tried %d calls; %d reached a method, all of them granted", p.tried, p.reached)
}

// get looks up a name. With wait it retries, because the provider may not have registered yet.
func get(ctx context.Context, manager registry.ServiceManager, name string, wait bool) (capnp.Client, error) {
	for {
		answer, release := manager.Get(ctx, func(p registry.ServiceManager_get_Params) error { return p.SetName(name) })
		res, err := answer.Struct()
		if err == nil {
			service := res.Service().AddRef()
			release()
			return service, nil
		}
		release()
		if !wait || ctx.Err() != nil {
			return capnp.Client{}, err
		}
		time.Sleep(time.Millisecond) // the world's clock stands still; registrations go on
	}
}

// TestOperatorIsNoGate tries all methods on everything that an operator can get, of the system and of an app: none of
// them commits, publishes, or allows it to link others.
func TestOperatorIsNoGate(t *testing.T) {
	w := shared(t)
	o := w.Operator()
	p := &trespasser{t: t, methods: methods(t)}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	key := updatestest.Key(1)
	app := updatestest.Archive(t, key, "1.1.0", updatestest.Bundle("web", "1.1.0", nil, []byte("pages"), key))
	for _, of := range []struct {
		operator *world.Operator
		facet    string
		set      []byte
	}{{o, "Updated", set(t, "1.1.0", "serve 1.1.0")}, {o.App("web"), "AppUpdate", app}} {
		updated, err := of.operator.Updated(ctx)
		if err != nil {
			t.Fatal(err)
		}
		p.try("operator", of.facet, capnp.Client(updated))
		updated.Release()
		of.operator.AwaitState("the end of a stage that was dropped", 0, func(s world.State) bool { return !s.Staging })
		staged, err := of.operator.Stage(of.set)
		if err != nil {
			t.Fatal(err)
		}
		p.try("operator", "StagedSystem", capnp.Client(staged), "switch", "discard")
		staged.Release()
	}
	conn := w.Dial(t, "control.sock")
	defer conn.Close()
	root, err := conn.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Release()
	p.try("operator", "Operator", root, "stop", "reboot")
	t.Logf("%d calls tried, %d reached a method, all of them the operator's", p.tried, p.reached)
}
