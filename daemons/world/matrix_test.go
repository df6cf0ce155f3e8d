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
)

// selftest is the row that the visitor of a world has.
const selftest = "selftest"

// granted says once more, beside the authority table, which facets each daemon is handed. Whoever widens a row has to
// widen it here too.
var granted = map[string][]string{
	"logd":       {},
	"samgrd":     {"LogSink", "Introducer"},
	"statefsd":   {"LogSink"},
	"keystored":  {"LogSink"},
	"bundlemgrd": {"LogSink", "Registrar"},
	"packagefsd": {"LogSink", "Registrar", "BundleMgr"},
	"updated":    {"LogSink", "Registrar", "Verifier", "SlotPublisher", "StateFs"},
	"execd":      {"LogSink", "BundleMgr", "ServiceManager", "BundleRegistrar", "BundleIntroducer"},
	selftest:     {"LogSink", "ServiceManager", "HealthVote"},
}

// findable says which names those may find that may look names up.
var findable = map[string][]string{
	"execd":  {"BundleMgr", "PackageFs", "bundle/hello"},
	selftest: {"BundleMgr", "PackageFs", "Updated", "bundle/hello"},
}

// A method is one of the schema.
type method struct {
	face, name string
	id         uint64
	ordinal    uint16
}

// methods are all of the schema, by its lock.
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

// faces are the interfaces that stand behind a facet or a name: its own, and what that extends.
func faces(facet string) []string {
	switch {
	case facet == "StateFs":
		return []string{"StateFs", "StateReader"}
	case facet == "Updated":
		return []string{"Updated", "UpdateStatus"}
	case strings.HasPrefix(facet, "bundle/"):
		return []string{"Service"}
	}
	return []string{facet}
}

// A trespasser calls what it should not be able to reach, and counts.
type trespasser struct {
	t       *testing.T
	methods []method
	tried   int
	reached int
}

// try calls every method of every interface on a capability, with no parameters. Those of the interfaces behind the
// facet are to be reached, whatever becomes of the call; all others are not to exist. The methods in spare are left
// out: they would end the world.
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

// patience is how long a call may take. Of a method that is there, some wait for what never comes, and no answer is as
// good as one; that one is not there is always said, however late a busy machine comes to it.
func patience(there bool) time.Duration {
	if there {
		return 100 * time.Millisecond
	}
	return limit
}

// reaches tells whether there is such a method behind the capability.
func reaches(ctx context.Context, client capnp.Client, m method, patience time.Duration) bool {
	return !exc.IsType(call(ctx, client, m, patience), exc.Unimplemented)
}

// call calls a method with no parameters, by its number.
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

// TestTakenOverDaemonHasItsRow takes every daemon over: what it was handed is what its row says, and of every method of
// every interface exactly those of what it was handed can be reached.
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
				p.try(who, facet, client, "done") // the voter's last word stops the system
				client.Release()
			}
			tried, reached = tried+p.tried, reached+p.reached
		})
	}
	t.Logf("%d daemons tried %d calls; %d reached a method, all of them granted", len(granted), tried, reached)
}

// endowmentsOf waits until the daemon is there.
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

// settle is how long an endowment may be on its way that should not be.
const settle = 250 * time.Millisecond

// holdsNoOther wants none of the facets that are not in the row.
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

// guesses are names that somebody may try.
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

// TestNamesLeadWhereTheyMay has everyone who may look names up guess: exactly the granted ones are found, by both ways,
// and what is found is what the name says and nothing more.
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

// TestABundleHasWhatItsManifestAsks takes a bundle over: of the names it may guess it finds those that its manifest
// asks for and execd may look up, and nothing else, though the manifest asks for more.
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

// get looks a name up; one that may be found is waited for, because its provider may not have registered yet.
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
		time.Sleep(time.Millisecond) // the clock of the world stands still; registrations do not
	}
}

// TestOperatorIsNoGate holds what an operator is handed against every method there is: no way leads from it to a
// commit, to a publication, or to the right to link others.
func TestOperatorIsNoGate(t *testing.T) {
	w, o := started(t)
	p := &trespasser{t: t, methods: methods(t)}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	facets := map[string]func(*world.Operator) (capnp.Client, error){
		"Updated": func(o *world.Operator) (capnp.Client, error) {
			c, err := o.Updated(ctx)
			return capnp.Client(c), err
		},
		"StagedSystem": func(o *world.Operator) (capnp.Client, error) {
			c, err := o.Stage(set(t, "1.1.0", "serve 1.1.0"))
			return capnp.Client(c), err
		},
	}
	for _, facet := range []string{"Updated", "StagedSystem"} {
		client, err := facets[facet](o)
		if err != nil {
			t.Fatal(err)
		}
		p.try("operator", facet, client, "switch", "discard")
		client.Release()
		o.AwaitState("the end of a stage that was dropped", 0, func(s world.State) bool { return !s.Staging })
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
