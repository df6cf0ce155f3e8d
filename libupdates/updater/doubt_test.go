package updater

import (
	"syscall"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// TestAStageThatWasNotRecorded leaves a set on disk that no record knows: it is not staged, and the way back is open.
func TestAStageThatWasNotRecorded(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	d.medium.fail = true
	if err := d.put(t, "1.2.0"); err == nil {
		t.Fatal("the stage was recorded on a medium that fails")
	}
	d.medium.fail = false
	if _, err := d.Staged(); refusal.Of(err) != refusal.NothingStaged {
		t.Errorf("got %v, want %s", err, refusal.NothingStaged)
	}
	must(t, d.Rollback(t.Context()))
	if r := d.Record(); r.Slot(r.Active).Version != "1.0.0" {
		t.Errorf("the record is %+v", r)
	}
	d.attempt(t)
}

// TestNothingIsBuiltOnARecordInDoubt has a rollback that is durable although its writer is told that it is not. What is
// staged then, and not recorded, must not be where the next start goes.
func TestNothingIsBuiltOnARecordInDoubt(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	d.medium.failSync = true
	if err := d.Rollback(t.Context()); err == nil {
		t.Fatal("the rollback was recorded on a medium that fails")
	}
	d.medium.fail = true
	if err := d.put(t, "1.2.0"); err == nil {
		t.Fatal("the stage was recorded on a medium that fails")
	}
	d.medium.fail, d.medium.failSync = false, false

	next, err := Open(d.config)
	must(t, err)
	if r := next.Record(); r.Slot(r.Active).Version == "1.2.0" {
		t.Errorf("the next start goes to slot %s, which holds %s, which nobody switched to", r.Active,
			r.Slot(r.Active).Version)
	}
}

// TestASlotThatCouldNotBeReadIsReadAgain has a second stage take the place of the first on the disk and fail when it
// looks at the result, at each of its last operations: whoever holds the first one must not be able to switch to it any
// more.
func TestASlotThatCouldNotBeReadIsReadAgain(t *testing.T) {
	for fromEnd := range 12 {
		d := newDevice(t)
		must(t, d.put(t, "1.0.0"))
		twin := newDevice(t)
		must(t, twin.put(t, "1.0.0"))
		before := len(twin.disk.Ops())
		must(t, twin.put(t, "1.1.0"))

		first := d.Record().StageSerial
		d.disk.FailAt(len(twin.disk.Ops())-before-fromEnd, syscall.EIO)
		if d.put(t, "1.1.0") == nil {
			continue // what failed did not matter
		}
		found, err := d.ledger.slots.store.Content(bootctl.Staged)
		must(t, err)
		err = d.Switch(t.Context(), first)
		if found.Version == "1.1.0" && refusal.Of(err) != refusal.Stale {
			t.Errorf("operation %d from the end failed: switching to the first stage: got %v, want %s", fromEnd, err,
				refusal.Stale)
		}
		if found.Version == "1.0.0" && err != nil {
			t.Errorf("operation %d from the end failed: the first stage is still there: %v", fromEnd, err)
		}
	}
}
