package world_test

import (
	"strings"
	"testing"

	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// coreSet returns a set with a core of that version and one service.
func coreSet(t *testing.T, version, program, core string) []byte {
	key := updatestest.Key(1)
	return updatestest.Archive(t, key, version,
		updatestest.Bundle("hello", version, abilities(program), world.Program(program), key),
		updatestest.Bundle(nxs.CoreName, core, nil, world.Program("core "+core), key))
}

// handed stages and switches to the set, waits until its core has taken over, and connects again.
func handed(t *testing.T, w *world.World, o *world.Operator, archive []byte, line string) *world.Operator {
	t.Helper()
	updateCore(t, o, archive)
	w.Await(line, 1)
	return under(w, o, 2)
}

// updateCore is update to a set with a core of its own. That core may take over, and end all connections, before the
// answer to the switch is on its way.
func updateCore(t *testing.T, o *world.Operator, archive []byte) {
	t.Helper()
	staged, err := o.Stage(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	if err := o.Switch(staged); err != nil && !vat.Disconnected(err) {
		t.Fatal(err)
	}
}

// under connects again when the world's n-th core has taken over.
func under(w *world.World, o *world.Operator, n int) *world.Operator {
	ready := "updated: ready (non-persistent)"
	if w.State != "" {
		ready = "updated: ready (statefs)"
	}
	w.Await(ready, n)
	o.Close()
	return w.Operator()
}

// TestTheCoreOfASetTakesOver updates to a set with a core. That core takes over before anything of the set runs, within
// the one attempt that was counted, and confirms the set.
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
		if s.Core != "1.1.0-core" || s.Boot != boot+2 { // the switch takes a number, and so does the attempt
			t.Errorf("core %q confirmed by attempt %d, the one before was %d", s.Core, s.Boot, boot)
		}
		if seen := strings.Count(w.Console(), "bundlemgrd: slot b active"); seen != 1 {
			t.Errorf("slot b was published %d times, want once, by its own core", seen)
		}
	}
}

// TestABadSetReturnsToTheCoreBefore has a set whose core takes over and whose service fails. That core uses up both
// tries; then the core of the previous set takes over again.
func TestABadSetReturnsToTheCoreBefore(t *testing.T) {
	w, o := startedWithState(t)
	o = handed(t, w, o, coreSet(t, "1.1.0", "serve 1.1.0", "1.1.0-core"),
		"init: handing over to core 1.1.0-core (slot b)")
	o.AwaitState("the commit", 0, committed(bootctl.B))
	updateCore(t, o, coreSet(t, "1.2.0", "exit 3", "1.2.0-core"))
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

// TestASetWithoutACoreRunsOnTheImages has an operator roll back to a set without a core.
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

// TestABootHandsOverToTheChosenCore restarts a system whose confirmed set carries a core: the image's core counts one
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
	if s.Core != "1.1.0-core" || s.Boot != before.Boot+2 { // the boot takes a number, and so does its attempt
		t.Errorf("it was %+v and is %+v", before, s)
	}
}

// TestTheSameCoreStays updates to a set with the core that already runs: only the services change.
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

// TestACoreForAnotherMachineStays stages a core for another machine: it is never switched to.
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
