package world_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// startedWithState boots a world that has a state folder.
func startedWithState(t *testing.T) (*world.World, *world.Operator) {
	t.Helper()
	w := world.New(t)
	w.State = filepath.Join(w.Dir, "state")
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	w.Await("updated: ready (statefs)", 1)
	return w, w.Operator()
}

// startAgain boots the same folder without a flag.
func startAgain(t *testing.T, w *world.World) *world.Operator {
	t.Helper()
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
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
	if !after.Persistent || after.Quarantine != 1 || after.Rollback != before.Rollback || after.Boot <= before.Boot || after.Versions != before.Versions {
		t.Errorf("it was %+v and is %+v", before, after)
	}
	if _, err := o.Stage(bad); refusal.Of(err) != refusal.Quarantined {
		t.Errorf("what was rolled back is staged again: %v", err)
	}
}

// A trial of a set that never gets healthy is cut again and again: it is over after its tries.
func TestATrialIsCutAgainAndAgain(t *testing.T) {
	w, o := startedWithState(t)
	update(t, o, set(t, "1.1.0", "start 1.1.0"))
	o.AwaitState("the first try", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 1 })
	o.Close()
	o = startAgain(t, w)
	o.AwaitState("the second try", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 0 })
	o.Close()
	o = startAgain(t, w)
	s := o.AwaitState("the way back", 0, rolledBack)
	if s.Active != bootctl.A || s.Rollback != string(refusal.TriesExhausted) || s.Quarantine != 1 {
		t.Errorf("got %+v", s)
	}
}

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
		t.Errorf("it ended with %v", err)
	}
	if entries, _ := os.ReadDir(w.State); len(entries) != 1 {
		t.Errorf("the folder holds %v", entries)
	}
}
