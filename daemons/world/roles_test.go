package world_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/operator"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// roles lists, independently of the table of roles, each role's methods of Operator and the facets that it gets through
// them.
var roles = map[string]struct{ methods, facets []string }{
	"status": {[]string{"status", "services", "daemons", "graph", "watchdog"},
		[]string{"UpdateStatus", "ServiceWatch"}},
	"stage": {[]string{"status", "services", "daemons", "graph", "watchdog", "stage", "fetch"},
		[]string{"UpdateStatus", "ServiceWatch", "UpdateStage", "Fetcher"}},
	"apps": {[]string{"status", "services", "daemons", "graph", "watchdog", "apps", "fetchApps"},
		[]string{"UpdateStatus", "ServiceWatch", "AppInstaller", "AppFetcher"}},
}

// facetsOf are the facets that an Operator can hand out, with the call for each.
var facetsOf = map[string]func(context.Context, operator.Operator) (capnp.Client, capnp.ReleaseFunc, error){
	"UpdateStatus": func(ctx context.Context, o operator.Operator) (capnp.Client, capnp.ReleaseFunc, error) {
		answer, release := o.Status(ctx, nil)
		res, err := answer.Struct()
		return capnp.Client(res.Status()), release, err
	},
	"ServiceWatch": func(ctx context.Context, o operator.Operator) (capnp.Client, capnp.ReleaseFunc, error) {
		answer, release := o.Services(ctx, nil)
		res, err := answer.Struct()
		return capnp.Client(res.Services()), release, err
	},
	"AppInstaller": func(ctx context.Context, o operator.Operator) (capnp.Client, capnp.ReleaseFunc, error) {
		answer, release := o.Apps(ctx, nil)
		res, err := answer.Struct()
		return capnp.Client(res.Installer()), release, err
	},
	"UpdateStage": func(ctx context.Context, o operator.Operator) (capnp.Client, capnp.ReleaseFunc, error) {
		answer, release := o.Stage(ctx, nil)
		res, err := answer.Struct()
		return capnp.Client(res.Stage()), release, err
	},
	"AppFetcher": func(ctx context.Context, o operator.Operator) (capnp.Client, capnp.ReleaseFunc, error) {
		answer, release := o.FetchApps(ctx, nil)
		res, err := answer.Struct()
		return capnp.Client(res.Fetcher()), release, err
	},
	"Fetcher": func(ctx context.Context, o operator.Operator) (capnp.Client, capnp.ReleaseFunc, error) {
		answer, release := o.Fetch(ctx, nil)
		res, err := answer.Struct()
		return capnp.Client(res.Fetcher()), release, err
	},
}

// shared boots a world with a socket for each role.
func shared(t testing.TB) *world.World {
	t.Helper()
	w := world.New(t)
	for role := range roles {
		w.Share(role)
	}
	w.TrustForApps(updatestest.Key(1).Public())
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	return w
}

// as connects to the socket of a role.
func as(t testing.TB, ctx context.Context, w *world.World, role string) operator.Operator {
	t.Helper()
	conn := w.Dial(t, role+".sock")
	t.Cleanup(conn.Close)
	context.AfterFunc(ctx, conn.Close) // the next round of an attack finds the places free
	root, err := conn.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(root.Release)
	return operator.Operator(root)
}

// tryOperator calls every method of every interface on an Operator that should have only these methods. Other methods
// of Operator are refused as not-granted; those of other interfaces do not exist.
func tryOperator(t *testing.T, ctx context.Context, who string, o operator.Operator, granted []string) (tried int) {
	t.Helper()
	for _, m := range methods(t) {
		has := m.face == "Operator" && (m.name == "attenuate" || slices.Contains(granted, m.name))
		err := call(ctx, capnp.Client(o), m, patience(has))
		reason := refusal.Of(convert.Excepted(err))
		tried++
		switch {
		case has:
			if exc.IsType(err, exc.Unimplemented) || reason == refusal.NotGranted || vat.Disconnected(err) {
				t.Errorf("%s calls Operator.%s: %v, want it granted", who, m.name, err)
			}
		case m.face != "Operator":
			if !exc.IsType(err, exc.Unimplemented) {
				t.Errorf("%s calls %s.%s: %v, want unimplemented", who, m.face, m.name, err)
			}
		case reason != refusal.NotGranted:
			t.Errorf("%s calls Operator.%s: %v, want not-granted", who, m.name, err)
		}
	}
	return tried
}

// TestRolesReachWhatIsTheirs has each role try every method of every interface on its Operator, and on each facet that
// it gets: it reaches exactly those of the role, and nothing was stopped, staged or changed by it.
func TestRolesReachWhatIsTheirs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	w := shared(t)
	before, tried := stateNow(w.Operator()), 0
	for role, has := range roles {
		o := as(t, ctx, w, role)
		tried += tryOperator(t, ctx, role, o, has.methods)
		for facet, ask := range facetsOf {
			client, release, err := ask(ctx, o)
			if granted := slices.Contains(has.facets, facet); !granted {
				if refusal.Of(convert.Excepted(err)) != refusal.NotGranted || client.IsValid() {
					t.Errorf("%s is handed %s: %v, want not-granted", role, facet, err)
				}
			} else if err != nil {
				t.Errorf("%s is not handed %s: %v", role, facet, err)
			} else {
				p := &trespasser{t: t, methods: methods(t)}
				p.try(role, facet, client)
				tried += p.tried
			}
			release()
		}
	}
	w.Operator().AwaitState("the end of the stages that were dropped", 0,
		func(s world.State) bool { return !s.Staging })
	unmoved(t, w.Operator(), before, "the small roles")
	t.Logf("%d roles tried %d calls", len(roles), tried)
}

// TestStagerCannotSwitch stages a set through the socket of the role stage. Nothing that it holds or gets can switch,
// discard or commit; an operator takes up the set.
func TestStagerCannotSwitch(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	o := w.Operator()
	client, release, err := facetsOf["UpdateStage"](ctx, as(t, ctx, w, "stage"))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	archive := set(t, "1.1.0", "serve 1.1.0")
	answer, releaseStage := capupdate.UpdateStage(client).Stage(ctx, func(p capupdate.UpdateStage_stage_Params) error {
		p.SetSizeBytes(uint64(len(archive)))
		return nil
	})
	defer releaseStage()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	sink := res.Sink()
	for _, part := range [][]byte{archive[:len(archive)/2], archive[len(archive)/2:]} {
		if err := sink.Write(ctx,
			func(p capupdate.StageSink_write_Params) error { return p.SetBytes(part) }); err != nil {
			t.Fatal(err)
		}
	}
	done, releaseDone := sink.Done(ctx, nil)
	defer releaseDone()
	outcome, err := done.Struct()
	if err != nil || outcome.HasRefusal() {
		t.Fatalf("the stage: %v", err)
	}
	if outcome.HasSystem() {
		t.Error("the stage yields a StagedSystem")
	}
	info, err := outcome.Staged()
	if err != nil {
		t.Fatal(err)
	}
	if version, _ := info.SystemVersion(); version != "1.1.0" || convert.SlotOf(info.Slot()) != bootctl.B {
		t.Errorf("staged %s in %v", version, info.Slot())
	}
	before := o.AwaitState("the staged set", 0, func(s world.State) bool { return s.Staged == bootctl.Staged })
	for _, m := range methods(t) {
		if m.face != "StagedSystem" && m.face != "Updated" && m.face != "UpdateRecovery" && m.face != "HealthGate" {
			continue
		}
		for what, held := range map[string]capnp.Client{"UpdateStage": client, "its sink": capnp.Client(sink)} {
			if err := call(ctx, held, m, patience(false)); !exc.IsType(err, exc.Unimplemented) {
				t.Errorf("%s.%s on %s: %v, want unimplemented", m.face, m.name, what, err)
			}
		}
	}
	unmoved(t, o, before, "a stager")
	staged, err := o.Staged()
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	if err := o.Switch(staged); err != nil {
		t.Fatal(err)
	}
	o.AwaitState("the commit", 0, committed(bootctl.B))
}

// attenuated returns an Operator with only these methods.
func attenuated(t *testing.T, ctx context.Context, o operator.Operator, methods ...string) operator.Operator {
	t.Helper()
	answer, release := o.Attenuate(ctx, func(p operator.Operator_attenuate_Params) error {
		return vat.SetTexts(p.NewMethods, methods)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	smaller := res.Operator().AddRef()
	t.Cleanup(smaller.Release)
	return smaller
}

// TestAttenuationOnlyTakes has an operator pass on ever smaller Operators over a connection that initd does not know
// of. Asking for methods that one does not have, or for all, adds nothing. What was passed on ends with the connection
// that it came from.
func TestAttenuationOnlyTakes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	w := shared(t)
	conn := w.Dial(t, "control.sock")
	defer conn.Close()
	root, err := conn.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Release()
	two := attenuated(t, ctx, operator.Operator(root), "status", "journal", "HealthGate", "", "*")
	tryOperator(t, ctx, "two methods", two, []string{"status", "journal"})
	one := attenuated(t, ctx, two, "stop", "status", "updated")
	tryOperator(t, ctx, "one method", one, []string{"status"})
	tryOperator(t, ctx, "no method", attenuated(t, ctx, one), nil)
	tryOperator(t, ctx, "the role stage", attenuated(t, ctx, as(t, ctx, w, "stage"), "stage", "updated"),
		[]string{"stage"})

	friend := operator.Operator(vattest.Link(t, capnp.Client(one.AddRef())))
	if _, release, err := facetsOf["UpdateStatus"](ctx, friend); err != nil {
		t.Errorf("the Operator that was passed on does not work: %v", err)
	} else {
		release()
	}
	conn.Close()
	_, release, err := facetsOf["UpdateStatus"](ctx, friend)
	release()
	if !vat.Disconnected(err) {
		t.Errorf("after its end: %v, want disconnected", err)
	}

	answer, releaseMany := as(t, ctx, w, "status").Attenuate(ctx, func(p operator.Operator_attenuate_Params) error {
		return vat.SetTexts(p.NewMethods, slices.Repeat([]string{"status"}, 65))
	})
	defer releaseMany()
	if _, err := answer.Struct(); err == nil ||
		convert.Text(err) != "cannot attenuate: 65 names are over the 64 of one call" {
		t.Errorf("65 names: %v", err)
	}
}

// TestOneSocketDoesNotCrowdAnother uses up all connections of a shared socket: the control socket still accepts its
// own.
func TestOneSocketDoesNotCrowdAnother(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	const places = 32
	for range places {
		_, release, err := facetsOf["UpdateStatus"](ctx, as(t, ctx, w, "status"))
		if err != nil {
			t.Fatal(err)
		}
		defer release()
	}
	late := w.Dial(t, "status.sock")
	defer late.Close()
	if _, err := late.Bootstrap(ctx); err == nil {
		t.Error("connections are not bounded")
	}
	w.Operator().AwaitState("the state", time.Millisecond, func(s world.State) bool { return s.Active == bootctl.A })
}
