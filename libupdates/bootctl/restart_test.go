package bootctl_test

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// TestRestart ends the attempt that was under way, and nothing else.
func TestRestart(t *testing.T) {
	m := must{t}
	r, serial, err := bootctl.New().Stage(set(1))
	m.ok(err)
	r, err = r.Switch(serial, 2)
	m.ok(err)
	equal(t, "without an attempt", r.Restart(), r)

	begun, a := r.BootAttempt()
	next := begun.Restart()
	if next.Begun() || next.Boot <= a.Boot || next.Pending != bootctl.B || next.TriesLeft != 1 || len(next.History) != len(begun.History) {
		t.Errorf("from %+v to %+v", begun, next)
	}
	equal(t, "a second time", next.Restart(), next)
	if _, err := next.CommitHealth(a.Boot); refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("a verdict about the boot before: %v", err)
	}
	if _, err := next.CommitHealth(next.Boot); refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("a verdict about no attempt: %v", err)
	}

	committed, err := begun.CommitHealth(a.Boot)
	m.ok(err)
	again := committed.Restart()
	if again.HealthOK || again.Active != bootctl.B || !again.Slot(bootctl.B).Good {
		t.Errorf("a confirmed slot after a restart: %+v", again)
	}
}
