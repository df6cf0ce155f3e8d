package world_test

import (
	"strings"
	"testing"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// coreSet makes a set that carries a core of that version beside a service.
func coreSet(t *testing.T, version, program, core string) []byte {
	key := updatestest.Key(1)
	return updatestest.Archive(t, key, version,
		updatestest.Bundle("hello", version, abilities(program), world.Program(program), key),
		updatestest.Bundle(nxs.CoreName, core, nil, world.Program("core "+core), key))
}

// handed has the set staged and switched to, sees its core take over, and comes in again.
func handed(t *testing.T, w *world.World, o *world.Operator, archive []byte, line string) *world.Operator {
	t.Helper()
	update(t, o, archive)
	w.Await(line, 1)
	return under(w, o, 2)
}

// under comes in again when the n-th core of the world has taken over.
func under(w *world.World, o *world.Operator, n int) *world.Operator {
	ready := "updated: ready (non-persistent)"
	if w.State != "" {
		ready = "updated: ready (statefs)"
	}
	w.Await(ready, n)
	o.Close()
	return w.Operator()
}

// TestTheCoreOfASetTakesOver updates to a set with a core: that takes over before anything of the set runs, for the one
// attempt that was counted, and the set is confirmed by it.
func TestTheCoreOfASetTakesOver(t *testing.T) {
	for _, state := range []bool{false, true} {
		w, o := started(t)
		if state {
			w, o = startedWithState(t)
		}
		boot := o.AwaitState("the first health", 0, committed(bootctl.A)).Boot
		o = handed(t, w, o, coreSet(t, "1.1.0", "serve 1.1.0", "1.1.0-core"),
			"init: handing over to core 1.1.0-core (slot b)")
		s := o.AwaitState("the commit", 0, committed(bootctl.B))
		if s.Core != "1.1.0-core" || s.Boot != boot+2 { // a switch draws a number, and so does the attempt
			t.Errorf("core %q confirmed by attempt %d, the one before was %d", s.Core, s.Boot, boot)
		}
		if seen := strings.Count(w.Console(), "bundlemgrd: slot b active"); seen != 1 {
			t.Errorf("slot b was published %d times, want once, by its own core", seen)
		}
	}
}

// TestABadSetReturnsToTheCoreBefore has a set whose own core takes over and whose service fails: both tries are spent
// by that core, then the core of the set before takes over again.
func TestABadSetReturnsToTheCoreBefore(t *testing.T) {
	w, o := startedWithState(t)
	o = handed(t, w, o, coreSet(t, "1.1.0", "serve 1.1.0", "1.1.0-core"),
		"init: handing over to core 1.1.0-core (slot b)")
	o.AwaitState("the commit", 0, committed(bootctl.B))
	update(t, o, coreSet(t, "1.2.0", "exit 3", "1.2.0-core"))
	w.Await("init: handing over to core 1.2.0-core (slot a)", 1)
	w.Await("init: handing over to core 1.1.0-core (slot b)", 2)
	o = under(w, o, 4)
	s := o.AwaitState("the way back", 0, rolledBack)
	if s.Active != bootctl.B || s.Core != "1.1.0-core" || s.Rollback != string(refusal.ServiceExited) ||
		s.Quarantine != 1 {
		t.Errorf("got %+v", s)
	}
	if seen := strings.Count(w.Console(), "bundlemgrd: slot a active"); seen != 3 { // the factory set, and two tries
		t.Errorf("slot a was published %d times, want 3", seen)
	}
}

// TestASetWithoutACoreRunsOnTheImages goes back to a set without a core, by an operator's word.
func TestASetWithoutACoreRunsOnTheImages(t *testing.T) {
	w, o := startedWithState(t)
	o = handed(t, w, o, coreSet(t, "1.1.0", "serve 1.1.0", "1.1.0-core"),
		"init: handing over to core 1.1.0-core (slot b)")
	o.AwaitState("the commit", 0, committed(bootctl.B))
	if err := o.Rollback(); err != nil {
		t.Fatal(err)
	}
	w.Await("init: handing over to the core of the image", 1)
	o = under(w, o, 3)
	if s := o.AwaitState("the way back", 0, rolledBack); s.Active != bootctl.A || s.Core != "" {
		t.Errorf("got %+v", s)
	}
}

// TestABootHandsOverToTheChosenCore starts a system again whose confirmed set carries a core: the image's counts one
// attempt and hands over.
func TestABootHandsOverToTheChosenCore(t *testing.T) {
	w, o := startedWithState(t)
	o = handed(t, w, o, coreSet(t, "1.1.0", "serve 1.1.0", "1.1.0-core"),
		"init: handing over to core 1.1.0-core (slot b)")
	before := o.AwaitState("the commit", 0, committed(bootctl.B))
	o.Close()
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	w.Start(nil)
	w.Await("init: handing over to core 1.1.0-core (slot b)", 2)
	o = under(w, o, 4)
	s := o.AwaitState("the health of the new boot", 0, committed(bootctl.B))
	if s.Core != "1.1.0-core" || s.Boot != before.Boot+2 { // the new boot draws a number, and so does its attempt
		t.Errorf("it was %+v and is %+v", before, s)
	}
}

// TestTheSameCoreStays updates to a set that carries the core that runs already: only the services change.
func TestTheSameCoreStays(t *testing.T) {
	w, o := startedWithState(t)
	o = handed(t, w, o, coreSet(t, "1.1.0", "serve 1.1.0", "1.1.0-core"),
		"init: handing over to core 1.1.0-core (slot b)")
	o.AwaitState("the commit", 0, committed(bootctl.B))
	update(t, o, coreSet(t, "1.2.0", "serve 1.2.0", "1.1.0-core"))
	o.AwaitState("the second commit", 0, committed(bootctl.A))
	if seen := strings.Count(w.Console(), "init: handing over"); seen != 1 {
		t.Errorf("handed over %d times, want once", seen)
	}
}

// TestACoreForAnotherMachineStays stages a core that is no program for this machine: it is never switched to.
func TestACoreForAnotherMachineStays(t *testing.T) {
	w, o := started(t)
	key := updatestest.Key(1)
	staged, err := o.Stage(updatestest.Archive(t, key, "1.1.0",
		updatestest.Bundle(nxs.CoreName, "1.1.0", nil, []byte("no program"), key)))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	if err := o.Switch(staged); refusal.Of(err) != refusal.WrongArchitecture {
		t.Errorf("switched to it: %v", err)
	}
	if w.Shows("init: handing over to core 1.1.0 (slot b)") {
		t.Error("it took over")
	}
}
