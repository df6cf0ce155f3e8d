package updater

import (
	"bytes"
	"strings"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

// flip turns one bit of a file of the set in a slot and returns the way back.
func (d *device) flip(t *testing.T, slot bootctl.Slot, file string) (undo func()) {
	t.Helper()
	name := "sets/" + d.Record().Slot(slot).Digest.String() + "/" + file
	f, err := d.disk.Open(name)
	must(t, err)
	defer f.Close()
	raw := make([]byte, f.Size())
	_, err = f.ReadAt(raw, 0)
	must(t, err)
	bad := bytes.Clone(raw)
	bad[len(bad)/2] ^= 1
	must(t, d.disk.Overwrite(name, bad))
	return func() { must(t, d.disk.Overwrite(name, raw)) }
}

// setFiles are those whose digests are signed, and the index with them.
func setFiles() []string {
	return []string{"system.nxsindex", "notes.nxb/manifest.nxb", "notes.nxb/payload.elf"}
}

// TestAFlippedBitInTheActiveSlot is found before anything of the slot runs, and the slot before comes back, by no fault
// of the set.
func TestAFlippedBitInTheActiveSlot(t *testing.T) {
	for _, file := range setFiles() {
		t.Run(file, func(t *testing.T) {
			d := newDevice(t)
			d.confirm(t, "1.0.0")
			d.confirm(t, "1.1.0")
			bad := d.Record().Active
			d.flip(t, bad, file)
			published := d.published.Load()
			must(t, d.ledger.slots.read())
			a := d.attempt(t)
			r := d.Record()
			if a.Slot != bad.Other() || r.Active != bad.Other() || d.published.Load() != published+1 {
				t.Errorf("got attempt %+v, record %+v, %d publications", a, r, d.published.Load()-published)
			}
			if r.Slot(bad).Damage != refusal.DigestMismatch || len(r.Quarantine) != 0 ||
				r.LastRollback.Reason != refusal.DigestMismatch {
				t.Errorf("the record is %+v", r)
			}
			if err := d.Rollback(t.Context()); refusal.Of(err) != refusal.NoPrevious {
				t.Errorf("back to the damaged slot: %v", err)
			}
			must(t, d.commit(a.Boot))
			must(t, d.put(t, "1.1.0")) // the same set mends the slot
			must(t, d.Switch(t.Context(), d.Record().StageSerial))
			if a := d.attempt(t); a.Slot != bad {
				t.Errorf("got attempt %+v", a)
			}
		})
	}
}

func TestAFlippedBitWithNothingToReturnTo(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	slot := d.Record().Active
	undo := d.flip(t, slot, "notes.nxb/payload.elf")
	published := d.published.Load()
	a, refused, err := d.BootAttempt(t.Context(), 0)
	must(t, err)
	if a.Slot != slot || refusal.Of(refused) != refusal.DigestMismatch || d.published.Load() != published {
		t.Errorf("got attempt %+v, %v, %d publications", a, refused, d.published.Load()-published)
	}
	if got := d.Record().Slot(slot).Damage; got != refusal.DigestMismatch {
		t.Errorf("the slot is marked %q", got)
	}
	undo()
	checks, err := d.Scrub(t.Context())
	must(t, err)
	if checks[1].Err != nil || d.Record().Slot(slot).Damage != "" {
		t.Errorf("found intact again: %+v, %+v", checks, d.Record())
	}
	d.attempt(t)
}

// TestScrub finds damage wherever it is, and says so in the record.
func TestScrub(t *testing.T) {
	for _, file := range setFiles() {
		for _, active := range []bool{true, false} {
			d := newDevice(t)
			d.confirm(t, "1.0.0")
			d.confirm(t, "1.1.0")
			checks, err := d.Scrub(t.Context())
			must(t, err)
			if len(checks) != 2 || checks[0].Err != nil || checks[1].Err != nil {
				t.Fatalf("intact slots: %+v", checks)
			}
			before := d.Record()
			bad := before.Active
			if !active {
				bad = before.Standby()
			}
			d.flip(t, bad, file)
			checks, err = d.Scrub(t.Context())
			must(t, err)
			got, other := checks[bad-bootctl.A], checks[bad.Other()-bootctl.A]
			if refusal.Of(got.Err) != refusal.DigestMismatch || !strings.Contains(got.Err.Error(), file) ||
				other.Err != nil {
				t.Errorf("%s of slot %s: %+v", file, bad, checks)
			}
			r := d.Record()
			if r.Slot(bad).Damage != refusal.DigestMismatch || r.Active != before.Active && !active || r.Active == bad {
				t.Errorf("%s of slot %s: the record is %+v", file, bad, r)
			}
		}
	}
}

func TestScrubMarksNoSlotForOtherReasons(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	before := d.Record()
	d.distrust.Store(true)
	checks, err := d.Scrub(t.Context())
	must(t, err)
	if refusal.Of(checks[1].Err) != refusal.InvalidSignature || d.Record().Slots != before.Slots {
		t.Errorf("a key that is not trusted: %+v, %+v", checks, d.Record())
	}
	d.distrust.Store(false)
	must(t, d.begin())
	if _, err := d.Scrub(t.Context()); refusal.Of(err) != refusal.StageInProgress {
		t.Errorf("during a stage: %v", err)
	}
	d.ledger.place.end()
}

// TestAMissingFileIsDamage takes a file away.
func TestAMissingFileIsDamage(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	bad := d.Record().Active
	must(t, d.disk.Remove("sets/"+d.Record().Slot(bad).Digest.String()+"/notes.nxb/payload.elf"))
	if a := d.attempt(t); a.Slot != bad.Other() || d.Record().Slot(bad).Damage != refusal.MissingEntry {
		t.Errorf("got attempt %+v, record %+v", a, d.Record())
	}
}

// TestAStartWithADamagedIndex begins where the index of the active slot is damaged: the system starts, and runs the
// other slot.
func TestAStartWithADamagedIndex(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	bad := d.Record().Active
	d.flip(t, bad, "system.nxsindex")
	next := newDeviceOn()
	next.config.Slots, next.config.Record = d.disk.Reboot(durabletest.Outcomes()[1]), &medium{raw: d.medium.raw}
	must(t, next.open())
	if a := next.attempt(t); a.Slot != bad.Other() {
		t.Errorf("got attempt %+v, record %+v", a, next.Record())
	}
}

// TestNoRollbackToWhatMayNotRun has an operator go back to a set whose key is no longer trusted: the device would be
// left without a set. What runs runs on, and once the key is trusted again the way back is there again.
func TestNoRollbackToWhatMayNotRun(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	before := d.Record()
	d.distrust.Store(true)
	err := d.Rollback(t.Context())
	if refusal.Of(err) != refusal.NoPrevious || !strings.Contains(err.Error(), "may not run: invalid signature") {
		t.Errorf("got %v", err)
	}
	if now := d.Record(); now.Active != before.Active || now.Slots != before.Slots || len(now.Quarantine) > 0 {
		t.Errorf("the record is %+v", now)
	}
	d.distrust.Store(false)
	must(t, d.Rollback(t.Context()))
	if got := d.Record().Active; got != before.Active.Other() {
		t.Errorf("slot %s is active", got)
	}
}
