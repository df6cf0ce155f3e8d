package updater

import (
	"syscall"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
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

// TestARefusalAfterAFailedStage has a second stage take the place of the first on the disk and then fail, because the
// record cannot be stored or because one of its last operations fails. The record drops the first stage at once, on the
// medium too if that works again, so a switch to it is refused and changes nothing.
func TestARefusalAfterAFailedStage(t *testing.T) {
	dropped := 0
	for fromEnd := range 12 {
		for name, broken := range map[string]medium{"sound": {}, "failing": {fail: true}, "unsynced": {failSync: true}} {
			d := newDevice(t)
			must(t, d.put(t, "1.0.0"))
			first := d.Record().StageSerial
			twin := d.reopened(t, d.disk.Clone())
			before := len(twin.disk.Ops())
			must(t, twin.put(t, "1.1.0"))

			d.disk.FailAt(len(twin.disk.Ops())-before-fromEnd, syscall.EIO)
			d.medium.fail, d.medium.failSync = broken.fail, broken.failSync
			if d.put(t, "1.1.0") == nil {
				continue
			}
			d.medium.fail, d.medium.failSync = false, false
			left := d.Record()
			if stored := d.stored(t); name == "sound" && stored.Staged != left.Staged {
				t.Errorf("operation %d from the end failed: %+v is staged, %+v is stored", fromEnd, left.Staged,
					stored.Staged)
			}
			err := d.Switch(t.Context(), first)
			after := d.Record()
			switch {
			case err == nil && left.Staged.Version == "1.0.0":
			case refusal.Of(err) == refusal.Stale && left.Staged.IsEmpty() && after.Staged.IsEmpty():
				dropped++
			default:
				t.Errorf("operation %d from the end failed, the medium is %s: %v; staged was %+v, is %+v", fromEnd, name,
					err, left.Staged, after.Staged)
			}
		}
	}
	if dropped < 3 {
		t.Errorf("the first stage was dropped %d times", dropped)
	}
}

// stored is the record that a start would read.
func (d *device) stored(t *testing.T) bootctl.Record {
	t.Helper()
	cell, err := durable.OpenCell(d.medium)
	must(t, err)
	raw, _ := cell.Load()
	r, err := bootctl.Decode(raw)
	must(t, err)
	return r
}
