package world_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/updatestest"
)

// A part is a native service of a set. Equal parts are equal bundles.
type part struct {
	name, version, does string
	optional            bool
}

func setOf(t testing.TB, version string, parts ...part) []byte {
	t.Helper()
	key := updatestest.Key(1)
	var made []updatestest.Made
	for _, p := range parts {
		b := updatestest.Bundle(p.name, p.version, []string{nxb.AbilityService, nxb.AbilityNative},
			world.Program(p.does+" "+p.version), key)
		b.Entry.Optional = p.optional
		made = append(made, b)
	}
	return updatestest.Archive(t, key, version, made...)
}

// processes returns the process id of each service, and checks that all are of one slot.
func processes(t testing.TB, o *world.Operator, slot bootctl.Slot) map[string]uint32 {
	t.Helper()
	pids, _ := looked(t, o, slot)
	return pids
}

// looked is processes, and returns how often each service has lapsed as well.
func looked(t testing.TB, o *world.Operator, slot bootctl.Slot) (pids, lapses map[string]uint32) {
	t.Helper()
	lapses = map[string]uint32{}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	watch := o.ServiceWatch(ctx)
	defer watch.Release()
	answer, release := watch.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	list, err := res.Services()
	if err != nil {
		t.Fatal(err)
	}
	pids = map[string]uint32{}
	for i := range list.Len() {
		name, err := list.At(i).Name()
		if err != nil {
			t.Fatal(err)
		}
		if list.At(i).Slot().String() != slot.String() {
			t.Errorf("%s is of slot %s, want %s", name, list.At(i).Slot(), slot)
		}
		pids[name] = list.At(i).Pid()
		lapses[name] = list.At(i).Lapses()
	}
	return pids, lapses
}

var (
	alpha  = part{"alpha", "1.0.0", "serve", false}
	beta   = part{"beta", "1.0.0", "serve", false}
	gamma  = part{"gamma", "1.0.0", "serve", false}
	beta2  = part{"beta", "1.1.0", "serve", false}
	failed = part{"beta", "1.2.0", "fail", false}
	tired  = part{"beta", "1.3.0", "tired", false}
)

// TestUnchangedServicesGoOn takes a system over a commit, a rollback by the operator, a failed trial with its retry,
// and a crash loop. The service that every set has goes on all the time, over the same connection; those that a set
// changes or leaves out do not.
func TestUnchangedServicesGoOn(t *testing.T) {
	w := world.New(t)
	w.Start(setOf(t, "1.0.0", alpha, beta, gamma), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	o := w.Operator()
	conn, before := w.ConnOf("alpha"), processes(t, o, bootctl.A)
	goesOn := func(what string, slot bootctl.Slot, betaToo bool) {
		t.Helper()
		after := processes(t, o, slot)
		if after["alpha"] != before["alpha"] || w.ConnOf("alpha") != conn {
			t.Errorf("%s: alpha is process %d, and was %d", what, after["alpha"], before["alpha"])
		}
		if same := after["beta"] == before["beta"]; same != betaToo || after["beta"] == 0 {
			t.Errorf("%s: beta is process %d, and was %d", what, after["beta"], before["beta"])
		}
		before = after
	}
	update(t, o, setOf(t, "1.1.0", alpha, beta2))
	o.AwaitState("the commit", 0, committed(bootctl.B))
	goesOn("commit", bootctl.B, false)
	if err := o.Rollback(); err != nil {
		t.Fatal(err)
	}
	o.AwaitState("the rollback", 0, committed(bootctl.A))
	goesOn("rollback by the operator", bootctl.A, false)
	update(t, o, setOf(t, "1.2.0", alpha, failed, gamma))
	o.AwaitState("the failed trial", 100*time.Millisecond, committed(bootctl.A))
	goesOn("failed trial", bootctl.A, false)
	update(t, o, setOf(t, "1.3.0", alpha, tired))
	o.AwaitState("the watch", 0, committed(bootctl.B))
	goesOn("commit of what will crash", bootctl.B, false)
	o.AwaitState("the crash loop", 100*time.Millisecond, committed(bootctl.A))
	goesOn("crash loop", bootctl.A, false)
	update(t, o, setOf(t, "1.4.0", alpha, beta))
	o.AwaitState("the commit", 0, committed(bootctl.B))
	goesOn("a service left out", bootctl.B, true)
	select {
	case <-conn.Done():
		t.Error("the connection of alpha has ended")
	default:
	}
}

// TestUnchangedServiceIsAskedAgain has a service that the update does not change and that no longer answers. What it
// answered before is not its word on the new set: the attempt fails, and in the next one the service starts again.
func TestUnchangedServiceIsAskedAgain(t *testing.T) {
	w := world.New(t)
	mute := part{"alpha", "1.0.0", "mute", false}
	w.Start(setOf(t, "1.0.0", mute, beta), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	o := w.Operator()
	before := processes(t, o, bootctl.A)
	w.Clock.Wind(4 * time.Second) // from now on it does not answer
	update(t, o, setOf(t, "1.1.0", mute, beta2))
	o.AwaitState("the commit", 100*time.Millisecond, committed(bootctl.B))
	if after := processes(t, o, bootctl.B); after["alpha"] == before["alpha"] {
		t.Errorf("the set was committed without a word of alpha:\n%s", w.Console())
	}
}

// TestUnwellServicesStartAgain has an optional service that fails at the time of the switch: it starts again, although
// the set does not change it.
func TestUnwellServicesStartAgain(t *testing.T) {
	w := world.New(t)
	sick := part{"alpha", "1.0.0", "sick", true}
	w.Start(setOf(t, "1.0.0", sick, beta), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	o := w.Operator()
	before := processes(t, o, bootctl.A)
	o.AwaitState("the failure", 100*time.Millisecond, func(world.State) bool {
		services, err := o.Services(t.Context())
		return err == nil && slices.Contains(services, "alpha 1.0.0: fail")
	})
	update(t, o, setOf(t, "1.1.0", sick, beta))
	o.AwaitState("the commit", 0, committed(bootctl.B))
	after := processes(t, o, bootctl.B)
	if after["alpha"] == before["alpha"] || after["beta"] != before["beta"] {
		t.Errorf("processes %v, and were %v", after, before)
	}
}

// TestFailuresBeforeTheSwitch has a service that was unhealthy for a while before the switch, and goes on: what it did
// in the publication before does not count in the watch of the next one.
func TestFailuresBeforeTheSwitch(t *testing.T) {
	w := world.New(t)
	moody := part{"alpha", "1.0.0", "moody", true}
	w.Start(setOf(t, "1.0.0", moody, beta), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	o := w.Operator()
	for _, mood := range []string{"fail", "serve"} {
		o.AwaitState("the mood", 100*time.Millisecond, func(world.State) bool {
			services, err := o.Services(t.Context())
			return err == nil && slices.Contains(services, "alpha 1.0.0: "+mood)
		})
	}
	before, lapses := looked(t, o, bootctl.A)
	if lapses["alpha"] == 0 {
		t.Fatal("alpha has not lapsed")
	}
	update(t, o, setOf(t, "1.1.0", moody, beta2))
	o.AwaitState("the commit", 0, committed(bootctl.B))
	after, lapses := looked(t, o, bootctl.B)
	if after["alpha"] != before["alpha"] || lapses["alpha"] != 0 {
		t.Errorf("alpha is process %d, and was %d; it has lapsed %d times", after["alpha"], before["alpha"],
			lapses["alpha"])
	}
}

// TestOneAfterTheOther has a program that does not end when it is told to: its successor starts once it has ended.
func TestOneAfterTheOther(t *testing.T) {
	w := world.New(t)
	letGo := sync.OnceFunc(w.LetGo)
	w.Start(setOf(t, "1.0.0", alpha, part{"beta", "1.0.0", "stuck", false}), updatestest.Key(1).Public())
	t.Cleanup(letGo) // before the system stops, whose clock stands still
	w.Await("init: health ok (slot a)", 1)
	o := w.Operator()
	update(t, o, setOf(t, "1.1.0", alpha, beta2))
	w.Await("bundlemgrd: slot b active", 1)
	for range 200 { // the successor would be started meanwhile
		services(t, o)
	}
	letGo()
	o.AwaitState("the commit", 0, committed(bootctl.B))
	if overlaps := w.Overlaps(); len(overlaps) > 0 {
		t.Errorf("two programs at a time of %q", overlaps)
	}
}
