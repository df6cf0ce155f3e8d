package updated

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// confirm takes a device through a whole update.
func (d *device) confirm(t *testing.T, version string) {
	t.Helper()
	must(t, d.put(t, version))
	must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
	attempt, refused, err := d.bootAttempt(t.Context())
	must(t, refused)
	must(t, err)
	must(t, d.commit(attempt.Boot))
}

// TestNoReturnToWhatNobodySwitchedTo fills the standby slot and fails to record it: an operator must not land there.
func TestNoReturnToWhatNobodySwitchedTo(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	d.medium.fail = true
	if err := d.put(t, "1.2.0"); err == nil {
		t.Fatal("the stage was recorded on a medium that fails")
	}
	d.medium.fail = false
	if err := d.rollback(); refusal.Of(err) != refusal.NoPrevious {
		t.Errorf("got %v, want %s", err, refusal.NoPrevious)
	}
	wantActive(t, d, bootctl.A)
}

// TestNothingIsBuiltOnARecordInDoubt has a rollback that is durable although its writer is told that it is not. What is staged then, and
// not recorded, must not be where the next start goes.
func TestNothingIsBuiltOnARecordInDoubt(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	d.medium.failSync = true
	if err := d.rollback(); err == nil {
		t.Fatal("the rollback was recorded on a medium that fails")
	}
	d.medium.fail = true
	if err := d.put(t, "1.2.0"); err == nil {
		t.Fatal("the stage was recorded on a medium that fails")
	}
	d.medium.fail, d.medium.failSync = false, false

	cell, err := durable.OpenCell(d.medium)
	must(t, err)
	next := &engine{log: d.log, store: d.store, cell: cell}
	must(t, next.load())
	if r := next.snapshot(); r.Slot(r.Active).Version == "1.2.0" {
		t.Errorf("the next start goes to slot %s, which holds %s, which nobody switched to", r.Active, r.Slot(r.Active).Version)
	}
}
