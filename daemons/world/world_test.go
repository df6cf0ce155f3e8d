package world_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// set returns a set with a service whose program is given by the text, and a plain service.
func set(t testing.TB, version, program string) []byte {
	key := updatestest.Key(1)
	return updatestest.Archive(t, key, version,
		updatestest.Bundle("hello", version, abilities(program), world.Program(program), key),
		updatestest.Bundle("notes", version, nil, []byte("any bytes"), key))
}

// abilities returns a service's abilities: native, unless the program is plain or exits.
func abilities(program string) []string {
	if verb, _, _ := strings.Cut(program, " "); verb == "plain" || verb == "exit" {
		return []string{nxb.AbilityService}
	}
	return []string{nxb.AbilityService, nxb.AbilityNative}
}

// started boots a world with a healthy factory set and waits until it is confirmed.
func started(t testing.TB) (*world.World, *world.Operator) {
	t.Helper()
	w := world.New(t)
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	return w, w.Operator()
}

func update(t testing.TB, o *world.Operator, archive []byte) {
	t.Helper()
	staged, err := o.Stage(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	if err := o.Switch(staged); err != nil {
		t.Fatal(err)
	}
}

func committed(slot bootctl.Slot) func(world.State) bool {
	return func(s world.State) bool { return s.Active == slot && s.Pending == bootctl.None && s.HealthOK }
}

func rolledBack(s world.State) bool {
	return s.Pending == bootctl.None && s.Rollback != "" && s.HealthOK
}

// TestAServiceMayRecoverOutsideATrial has a factory set whose service crashes once: there is no set to return to, so
// the system waits for the service.
func TestAServiceMayRecoverOutsideATrial(t *testing.T) {
	w := world.New(t)
	w.Start(set(t, "1.0.0", "flaky 1.0.0"), updatestest.Key(1).Public())
	w.Await("execd: crash process=bundle:hello exit=\"exit code 1\"", 1)
	o := w.Operator()
	s := o.AwaitState("the commit", 100*time.Millisecond, committed(bootctl.A))
	if s.Quarantine != 0 || s.Rollback != "" {
		t.Errorf("got %+v", s)
	}
	w.Await("init: health ok (slot a)", 1)
}

func TestStopIsInReverseOrder(t *testing.T) {
	w, _ := started(t)
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	want := []string{"execd", "fetchd", "updated", "patchd", "packagefsd", "bundlemgrd", "keystored", "samgrd", "logd"}
	if got := w.Ended(); !slices.Equal(got, want) {
		t.Errorf("ended in the order %v, want %v", got, want)
	}
}

func TestCommit(t *testing.T) {
	w, o := started(t)
	update(t, o, set(t, "1.1.0", "serve 1.1.0"))
	s := o.AwaitState("the commit", 0, committed(bootctl.B))
	if s.Versions != [2]string{"1.0.0", "1.1.0"} || s.Quarantine != 0 {
		t.Errorf("got %+v", s)
	}
	w.Await("init: health ok (slot b)", 1)
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}

func TestRollback(t *testing.T) {
	for _, c := range []struct {
		name, program string
		step          time.Duration
		reason        refusal.Reason
	}{
		{"its service exits", "exit 3", 0, refusal.ServiceExited},
		{"its service exits with 0", "exit 0", 0, refusal.ServiceExited},
		{"its service says that it fails", "fail 1.1.0", 0, refusal.ServiceUnhealthy},
		{"its service answers as another version", "serve 9.9.9", 0, refusal.ServiceUnhealthy},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, o := started(t)
			archive := set(t, "1.1.0", c.program)
			update(t, o, archive)
			s := o.AwaitState("the rollback", c.step, rolledBack)
			if s.Active != bootctl.A || s.Rollback != string(c.reason) || s.Quarantine != 1 {
				t.Errorf("got %+v", s)
			}
			if _, err := o.Stage(archive); refusal.Of(err) != refusal.Quarantined {
				t.Errorf("stage of the same set: %v", err)
			}
		})
	}
}

// TestRollbackOnHealthTimeout has a service that stays in the starting state: the deadline ends the trial although a
// try is left.
func TestRollbackOnHealthTimeout(t *testing.T) {
	w, o := started(t)
	update(t, o, set(t, "1.1.0", "start 1.1.0"))
	o.AwaitState("the trial", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 1 })
	if w.Shows("init: health ok (slot b)") {
		t.Fatal("committed before the verdict")
	}
	s := o.AwaitState("the rollback", time.Second, rolledBack)
	if s.Active != bootctl.A || s.Rollback != string(refusal.HealthTimeout) {
		t.Errorf("got %+v\n%s", s, w.Console())
	}
	if w.Shows("init: health ok (slot b)") {
		t.Error("a slot that never proved healthy was committed")
	}
}

// TestPlainServiceSettles has a service that never connects: it becomes healthy after it has run for the settle time,
// and not before.
func TestPlainServiceSettles(t *testing.T) {
	w, o := started(t)
	update(t, o, set(t, "1.1.0", "plain"))
	o.AwaitState("the trial", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 1 })
	if w.Shows("init: health ok (slot b)") {
		t.Fatal("committed before it settled")
	}
	o.AwaitState("the commit", 100*time.Millisecond, committed(bootctl.B))
}

// TestEveryDaemonMayDie kills each daemon at each step of an update. The update ends in a defined state, and the next
// one works.
func TestEveryDaemonMayDie(t *testing.T) {
	for _, victim := range []string{"logd", "samgrd", "keystored", "bundlemgrd", "packagefsd", "patchd", "updated", "fetchd",
		"execd"} {
		for _, stand := range []string{"idle", "staged", "switched", "committed"} {
			t.Run(victim+"/"+stand, func(t *testing.T) { t.Parallel(); dieAt(t, victim, stand) })
		}
	}
}

func dieAt(t *testing.T, victim, stand string) {
	w, o := started(t)
	die := func(now string) {
		if now == stand {
			w.Kill(victim)
		}
	}
	step := 100 * time.Millisecond // winds the clock for restart pauses
	die("idle")
	archive := set(t, "1.1.0", "serve 1.1.0")
	staged, err := o.Stage(archive)
	for attempts := 0; err != nil && attempts < 200; attempts++ { // its daemon is restarting
		w.Clock.Wind(step)
		staged, err = o.Stage(archive)
	}
	if err != nil {
		t.Fatalf("cannot stage: %v\n%s", err, w.Console())
	}
	die("staged")
	if err := o.Switch(staged); err != nil {
		// The capability ended with its daemon; the stage did not.
		o.AwaitState("the staged set", step, func(s world.State) bool { return s.Staged == bootctl.Staged })
		staged.Release()
		if staged, err = o.Staged(); err == nil {
			err = o.SwitchAgain(staged, step)
		}
		if err != nil {
			t.Fatalf("cannot switch: %v\n%s", err, w.Console())
		}
	}
	staged.Release()
	die("switched")
	s := o.AwaitState("a verdict", step, func(s world.State) bool { return committed(bootctl.B)(s) || rolledBack(s) })
	die("committed")

	if s.Active == bootctl.B {
		if want := [2]string{"1.0.0", "1.1.0"}; s.Versions != want {
			t.Errorf("slots hold %v, want %v", s.Versions, want)
		}
	} else if !slices.Contains([]string{"switched"}, stand) {
		t.Errorf("rolled back (%s) though nothing died during the trial", s.Rollback)
	}
	o.AwaitState("all well", step, func(s world.State) bool { return s.HealthOK && s.Pending == bootctl.None })
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}
