package world_test

import (
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// A trial that fails because the machine could not start its service is over at the deadline, though a try is left; the
// set is not to blame, and may be tried again.
func TestHinderedTrial(t *testing.T) {
	w, o := started(t)
	archive := set(t, "1.1.0", "poor 1.1.0")
	update(t, o, archive)
	s := o.AwaitState("the rollback", time.Second, rolledBack)
	if s.Active != bootctl.A || s.Rollback != string(refusal.Hindered) || s.Quarantine != 0 {
		t.Errorf("got %+v", s)
	}
	if w.Shows("execd: crash process=bundle:hello") {
		t.Error("a program that never ran has crashed")
	}
	w.Relieve()
	update(t, o, archive)
	if s := o.AwaitState("the commit", time.Second, committed(bootctl.B)); s.Versions[1] != "1.1.0" {
		t.Errorf("got %+v", s)
	}
}

// What hinders for a while costs no try.
func TestHinderedForAWhile(t *testing.T) {
	w, o := started(t)
	update(t, o, set(t, "1.1.0", "poor 1.1.0"))
	trial := o.AwaitState("the trial", 0, func(s world.State) bool {
		return s.Pending == bootctl.B && s.TriesLeft == 1
	})
	w.Clock.Wind(2 * time.Second)
	w.Relieve()
	s := o.AwaitState("the commit", 100*time.Millisecond, committed(bootctl.B))
	if s.Rollback != "" || s.Quarantine != 0 || s.Boot != trial.Boot {
		t.Errorf("got %+v", s)
	}
}

// A trial that fails after an operator has revoked something says so, and the set is not to blame.
func TestTrialAfterRevoke(t *testing.T) {
	w, o := started(t)
	archive := set(t, "1.1.0", "start 1.1.0")
	update(t, o, archive)
	o.AwaitState("the trial", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 1 })
	if err := o.Revoke("execd", "PackageFs"); err != nil {
		t.Fatal(err)
	}
	s := o.AwaitState("the rollback", time.Second, rolledBack)
	if s.Active != bootctl.A || s.Rollback != string(refusal.Revoked) || s.Quarantine != 0 {
		t.Errorf("got %+v", s)
	}
	w.Await("updated: audit op=rollback slot=b version=1.1.0 result=ok reason=revoked", 1)

	// It is not for ever: what is revoked before a trial is what the set has to live with.
	update(t, o, archive)
	s = o.AwaitState("the rollback", time.Second, func(s world.State) bool { return s.Quarantine == 1 })
	if s.Rollback != string(refusal.HealthTimeout) {
		t.Errorf("got %+v", s)
	}
}
