package world_test

import (
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

func watched(s world.State) bool { return s.Watched && s.HealthOK }

// TestCrashLoopAfterTheCommit has a service that is healthy, and crashes repeatedly some time after the commit, which
// no trial can detect.
func TestCrashLoopAfterTheCommit(t *testing.T) {
	w, o := started(t)
	archive := set(t, "1.1.0", "tired 1.1.0")
	update(t, o, archive)
	o.AwaitState("the watch", 0, watched)
	w.Await("init: health ok (slot b)", 1)
	s := o.AwaitState("the rollback", 100*time.Millisecond, rolledBack)
	if s.Active != bootctl.A || s.Rollback != string(refusal.CrashLoop) || s.Quarantine != 1 || s.Watched {
		t.Errorf("got %+v", s)
	}
	w.Await("init: health ok (slot a)", 2)
	if _, err := o.Stage(archive); refusal.Of(err) != refusal.Quarantined {
		t.Errorf("staged again: %v", err)
	}
}

// TestWatchEndsWell has a healthy service: the watch ends by itself, and no automatic rollback is possible any more.
func TestWatchEndsWell(t *testing.T) {
	_, o := started(t)
	update(t, o, set(t, "1.1.0", "serve 1.1.0"))
	o.AwaitState("the watch", 0, watched)
	s := o.AwaitState("the end of the watch", 200*time.Millisecond, func(s world.State) bool { return !s.Watched })
	if s.Active != bootctl.B || !s.HealthOK || s.Rollback != "" {
		t.Errorf("got %+v", s)
	}
}

// TestStageKeepsTheWatch has an operator stage another set during the watch: a set that fails then is left for the one
// before it, and what is staged stays so. A switch ends the watch.
func TestStageKeepsTheWatch(t *testing.T) {
	w, o := started(t)
	update(t, o, set(t, "1.1.0", "tired 1.1.0"))
	o.AwaitState("the watch", 0, watched)
	if _, err := o.Stage([]byte("no set")); err == nil {
		t.Fatal("staged")
	}
	staged, err := o.Stage(set(t, "1.2.0", "serve 1.2.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	s := o.AwaitState("the staged set", 0, func(s world.State) bool { return s.Next == "1.2.0" })
	if !s.Watched || s.Versions != [2]string{"1.0.0", "1.1.0"} {
		t.Errorf("with a staged set: %+v", s)
	}
	s = o.AwaitState("the rollback", 100*time.Millisecond, rolledBack)
	if s.Active != bootctl.A || s.Rollback != string(refusal.CrashLoop) || s.Next != "1.2.0" {
		t.Errorf("after the crash loop: %+v", s)
	}
	w.Await("init: health ok (slot a)", 2)
	if err := o.Switch(staged); err != nil {
		t.Fatal(err)
	}
	s = o.AwaitState("the update", 0, func(s world.State) bool { return s.Active == bootctl.B && s.HealthOK })
	if s.Versions != [2]string{"1.0.0", "1.2.0"} || s.Next != "" {
		t.Errorf("after the switch: %+v", s)
	}
}

// TestWatchOutlivesItsKeepers kills, during a watch, the daemons that keep it and those that it is about.
func TestWatchOutlivesItsKeepers(t *testing.T) {
	for _, daemon := range []string{"updated", "execd", "bundlemgrd", "logd"} {
		t.Run(daemon, func(t *testing.T) {
			w, o := started(t)
			update(t, o, set(t, "1.1.0", "tired 1.1.0"))
			o.AwaitState("the watch", 0, watched)
			w.Kill(daemon)
			s := o.AwaitState("the rollback", 100*time.Millisecond, rolledBack)
			if s.Active != bootctl.A || s.Rollback != string(refusal.CrashLoop) {
				t.Errorf("got %+v", s)
			}
		})
	}
}
