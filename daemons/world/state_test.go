package world_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nexus/daemons/initd"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// startedWithState boots a world with a state folder.
func startedWithState(t *testing.T) (*world.World, *world.Operator) {
	t.Helper()
	w := world.New(t)
	w.State = filepath.Join(w.Dir, "state")
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	w.Await("updated: ready (statefs)", 1)
	return w, w.Operator()
}

// startAgain stops the system and boots it again from the same folder, without flags.
func startAgain(t *testing.T, w *world.World) *world.Operator {
	t.Helper()
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	return start(w)
}

// startAfterCut cuts the power and boots the same folder again.
func startAfterCut(t *testing.T, w *world.World) *world.Operator {
	t.Helper()
	if err := w.Cut(); err != nil {
		t.Fatal(err)
	}
	return start(w)
}

func start(w *world.World) *world.Operator {
	w.State = ""
	boots := strings.Count(w.Console(), "updated: ready (statefs)")
	w.Start(nil)
	w.Await("updated: ready (statefs)", boots+1)
	return w.Operator()
}

func TestARestartForgetsNothing(t *testing.T) {
	w, o := startedWithState(t)
	update(t, o, set(t, "1.1.0", "serve 1.1.0"))
	o.AwaitState("the commit", 0, committed(bootctl.B))
	bad := set(t, "1.2.0", "exit 3")
	update(t, o, bad)
	before := o.AwaitState("the rollback", 0, rolledBack)
	o.Close()

	o = startAgain(t, w)
	after := o.AwaitState("the health of the new boot", 0, committed(bootctl.B))
	if !after.Persistent || after.Quarantine != 1 || after.Rollback != before.Rollback || after.Boot <= before.Boot ||
		after.Versions != before.Versions {
		t.Errorf("it was %+v and is %+v", before, after)
	}
	if _, err := o.Stage(bad); refusal.Of(err) != refusal.Quarantined {
		t.Errorf("stage of the set that was rolled back: %v", err)
	}
}

// TestATrialIsCutAgainAndAgain cuts the power repeatedly during a trial of a set that never becomes healthy: the trial
// ends when its tries are used up.
func TestATrialIsCutAgainAndAgain(t *testing.T) {
	w, o := startedWithState(t)
	update(t, o, set(t, "1.1.0", "start 1.1.0"))
	o.AwaitState("the first try", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 1 })
	o.Close()
	o = startAfterCut(t, w)
	o.AwaitState("the second try", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 0 })
	o.Close()
	o = startAfterCut(t, w)
	s := o.AwaitState("the way back", 0, rolledBack)
	if s.Active != bootctl.A || s.Rollback != string(refusal.TriesExhausted) || s.Quarantine != 1 {
		t.Errorf("got %+v", s)
	}
}

// TestAStoppedTrialKeepsItsTries stops the system during a trial, repeatedly: that uses up no tries.
func TestAStoppedTrialKeepsItsTries(t *testing.T) {
	w, o := startedWithState(t)
	update(t, o, set(t, "1.1.0", "start 1.1.0"))
	for range 3 {
		o.AwaitState("the first try", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 1 })
		o.Close()
		o = startAgain(t, w)
	}
	s := o.AwaitState("the first try again", 0, func(s world.State) bool {
		return s.Pending == bootctl.B &&
			s.TriesLeft == 1
	})
	if s.Cause != bootctl.Commanded {
		t.Errorf("got %+v", s)
	}
}

// TestAbruptEndsHoldTheNextAttemptBack has a confirmed set take the system down repeatedly: its next attempt is
// delayed, unless an operator acts.
func TestAbruptEndsHoldTheNextAttemptBack(t *testing.T) {
	w, o := startedWithState(t)
	waits := func(ends uint8) func(world.State) bool {
		return func(s world.State) bool { return s.AbruptEnds == ends && !s.HealthOK }
	}
	for range 3 {
		o.Close()
		o = startAfterCut(t, w)
		o.AwaitState("health without a pause", 0, committed(bootctl.A))
	}
	o.Close()
	o = startAfterCut(t, w)
	o.AwaitState("the fourth abrupt end", 0, waits(4))
	w.Await(holding+"1s", 1)
	o.AwaitState("health after the pause", 100*time.Millisecond, committed(bootctl.A))

	o.Close()
	o = startAfterCut(t, w)
	o.AwaitState("the fifth abrupt end", 0, waits(5))
	w.Await(holding+"2s", 1)
	update(t, o, set(t, "1.1.0", "serve 1.1.0"))
	o.AwaitState("a trial, which waits for nobody", 0, committed(bootctl.B))
}

// TestAbruptEndsAreForgotten checks that a set that has run long enough is no longer delayed.
func TestAbruptEndsAreForgotten(t *testing.T) {
	w, o := startedWithState(t)
	o.Close()
	o = startAfterCut(t, w)
	s := o.AwaitState("the health after the cut", 0, committed(bootctl.A))
	if s.AbruptEnds != 1 {
		t.Errorf("got %+v", s)
	}
	o.AwaitState("a minute later", time.Second, func(s world.State) bool { return s.AbruptEnds == 0 })
}

// holding is the console line for an attempt that is delayed.
const holding = "initd: [warn] boots keep ending without an order: the next attempt waits pause="

func TestStatefsdMayDieAtAnyTime(t *testing.T) {
	w, o := startedWithState(t)
	staged, err := o.Stage(set(t, "1.1.0", "serve 1.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	w.Kill("statefsd")
	if err := o.SwitchAgain(staged, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	o.AwaitState("the commit", 50*time.Millisecond, committed(bootctl.B))
	w.Kill("updated")
	w.Kill("statefsd")
	s := o.AwaitState("the state after both", 50*time.Millisecond, committed(bootctl.B))
	if s.Versions[1] != "1.1.0" {
		t.Errorf("got %+v", s)
	}
}

// TestALostRecordIsTold damages the boot record: the loss is logged once. One lost copy is written again; if all are
// lost, the system starts from what the slots contain.
func TestALostRecordIsTold(t *testing.T) {
	for _, c := range []struct {
		name, told string
		do         func(boot string) error
	}{
		{"a damaged copy", "result=ok reason=state-damaged", func(boot string) error {
			return os.WriteFile(filepath.Join(boot, "record.0.value"), []byte("rot"), 0o600)
		}},
		{"a missing copy", "result=ok reason=state-damaged", func(boot string) error {
			return os.Remove(filepath.Join(boot, "record.1.value"))
		}},
		{"both damaged", "result=failed reason=state-damaged", func(boot string) error {
			return errors.Join(os.WriteFile(filepath.Join(boot, "record.0.value"), []byte("rot"), 0o600),
				os.WriteFile(filepath.Join(boot, "record.1.value"), []byte("rot"), 0o600))
		}},
		{"all is gone", "result=failed reason=no-such-key", os.RemoveAll},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, o := startedWithState(t)
			o.AwaitState("the health", 0, committed(bootctl.A))
			o.Close()
			if err := w.Stop(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(w.Console(), "audit op=record") {
				t.Error("a loss was logged for an intact record")
			}
			if err := c.do(filepath.Join(w.Dir, "state", "boot")); err != nil {
				t.Fatal(err)
			}
			o = start(w)
			o.AwaitState("the health of the new boot", 0, committed(bootctl.A))
			w.Await("updated: audit op=record slot=none "+c.told, 1)
			o.Close()
			o = startAgain(t, w)
			o.AwaitState("the health of the boot after", 0, committed(bootctl.A))
			if n := strings.Count(w.Console(), "audit op=record"); n != 1 {
				t.Errorf("the loss was logged %d times", n)
			}
		})
	}
}

func TestAForeignStateFolderIsRefused(t *testing.T) {
	w := world.New(t)
	w.State = t.TempDir()
	holiday := filepath.Join(w.State, "holiday.jpg")
	if err := os.WriteFile(holiday, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	err := w.AwaitEnd()
	if err == nil || !strings.Contains(err.Error(), "holiday.jpg, which is not ours") {
		t.Errorf("the system ended with %v", err)
	}
	if entries, _ := os.ReadDir(w.State); len(entries) != 1 {
		t.Errorf("the folder holds %v", entries)
	}
}

// TestReboot stops the system in order with the result that it should start again. A different order after that is
// refused.
func TestReboot(t *testing.T) {
	w, o := startedWithState(t)
	if err := o.Reboot(); err != nil {
		t.Fatal(err)
	}
	if err := w.AwaitEnd(); !errors.Is(err, initd.ErrReboot) {
		t.Errorf("the system ended with %v", err)
	}
	o.Close()
	o = start(w)
	if s := o.AwaitState("the health of the new boot", 0, committed(bootctl.A)); s.Cause != bootctl.Commanded ||
		s.AbruptEnds != 0 {
		t.Errorf("got %+v", s)
	}
}
