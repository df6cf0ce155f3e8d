package updater

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

func TestTheRecordOutlivesTheBoot(t *testing.T) {
	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	must(t, d.Rollback(t.Context()))
	must(t, d.put(t, "1.2.0"))
	before := d.Record()

	next := mustBoot(t, disk, &medium{})
	after := next.Record()
	if !slices.Equal(after.Quarantine, before.Quarantine) || !slices.Equal(beforeBoot(after), before.History) ||
		*after.LastRollback != *before.LastRollback || after.Slots != before.Slots || after.Staged != before.Staged ||
		after.Active != before.Active {
		t.Errorf("the record was %+v and is %+v", before, after)
	}
	if !next.Persistent() {
		t.Error("the record is said to end with this boot")
	}
	if err := next.put(t, "1.1.0"); refusal.Of(err) != refusal.Quarantined {
		t.Errorf("what was rolled back can be staged again: %v", err)
	}
	must(t, next.Switch(t.Context(), after.StageSerial))
}

// beforeBoot is the history of a record that was just taken up in a new boot, without the event of that.
func beforeBoot(r bootctl.Record) []bootctl.Event {
	last := len(r.History) - 1
	if r.History[last].Op != bootctl.OpBoot {
		return nil
	}
	return r.History[:last]
}

// Nothing of a slot runs in a new boot before an attempt was counted in that boot.
func TestANewBootPublishesNothingByItself(t *testing.T) {
	disk := newDisk(t)
	memory := &medium{}
	d := mustBoot(t, disk, memory)
	d.confirm(t, "1.0.0")
	boot := d.Record().Boot

	again := mustBoot(t, disk, memory)
	if r := again.Record(); !r.Begun() || !r.HealthOK || r.Boot != boot || again.target == nil {
		t.Errorf("another life in the same boot is at %+v, publishes %v", r, again.target)
	}
	next := mustBoot(t, disk, &medium{})
	if r := next.Record(); r.Begun() || r.HealthOK || next.target != nil {
		t.Errorf("a new boot is at %+v, publishes %v", r, next.target)
	}
	if err := next.commit(boot); refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("a verdict about the boot before was taken: %v", err)
	}
	if a := next.attempt(t); a.Boot <= boot || a.Slot != bootctl.B {
		t.Errorf("got attempt %+v after %d", a, boot)
	}
}

func TestATrialEndsWithinItsTriesOverReboots(t *testing.T) {
	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	d.confirm(t, "1.0.0")
	must(t, d.put(t, "1.1.0"))
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	for left := bootctl.DefaultTries - 1; left >= 0; left-- {
		d = mustBoot(t, disk, &medium{})
		if a := d.attempt(t); a.Slot != bootctl.A || !a.Trial || int(a.TriesLeft) != left {
			t.Fatalf("with %d tries left: got attempt %+v", left, a)
		}
	}
	d = mustBoot(t, disk, &medium{})
	if a := d.attempt(t); a.Slot != bootctl.B || a.Trial || !a.RolledBack {
		t.Fatalf("got attempt %+v", a)
	}
	r := mustBoot(t, disk, &medium{}).Record()
	if r.LastRollback == nil || r.LastRollback.Reason != refusal.TriesExhausted || len(r.Quarantine) != 1 {
		t.Errorf("the record is %+v", r)
	}
}

// recordFiles are the two copies on the disk.
func recordFiles() []string {
	return []string{"state/boot/record.0.value", "state/boot/record.1.value"}
}

func TestEitherCopyOfTheRecordMayBeDamaged(t *testing.T) {
	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	must(t, d.Rollback(t.Context())) // the last word: without it the quarantine would be empty
	want := d.Record()
	for _, damaged := range recordFiles() {
		bad := disk.Clone()
		must(t, bad.Overwrite(damaged, []byte("rot")))
		next := mustBoot(t, bad, &medium{})
		if got := next.Record(); !slices.Equal(got.Quarantine, want.Quarantine) ||
			!slices.Equal(beforeBoot(got), want.History) {
			t.Errorf("with %s damaged the record is %+v, want %+v", damaged, got, want)
		}
		// One step heals: then the other copy may be damaged.
		next.attempt(t)
		for _, other := range recordFiles() {
			worse := bad.Clone()
			must(t, worse.Overwrite(other, []byte("rot")))
			if got := mustBoot(t, worse, &medium{}).Record(); !slices.Equal(got.Quarantine, want.Quarantine) {
				t.Errorf("with %s damaged, then %s, the record is %+v", damaged, other, got)
			}
		}
	}
}

func TestWithBothCopiesDamagedTheConfirmedSlotRuns(t *testing.T) {
	disk := newDisk(t)
	memory := &medium{}
	d := mustBoot(t, disk, memory)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	must(t, d.Rollback(t.Context()))
	want := d.Record()
	for _, name := range recordFiles() {
		must(t, disk.Overwrite(name, []byte("rot")))
	}
	// In the same boot the copy in memory knows it all.
	same := mustBoot(t, disk.Clone(), memory).Record()
	if !slices.Equal(same.Quarantine, want.Quarantine) || same.Boot != want.Boot {
		t.Errorf("in the same boot the record is %+v, want %+v", same, want)
	}
	// In a new boot the slot that was confirmed last runs.
	next := mustBoot(t, disk, &medium{})
	if a := next.attempt(t); a.Slot != want.Active {
		t.Errorf("slot %s runs, want %s", a.Slot, want.Active)
	}
	again := mustBoot(t, disk, &medium{})
	if !again.Record().Slot(want.Active).Good || again.Record().Boot < next.Record().Boot {
		t.Errorf("the record was not begun again: %+v", again.Record())
	}
}

// Every step, cut after every operation, on one disk that holds slots and state: the next boot takes up the record from
// before the step or from after it, and the one from after it if the step was reported done.
func TestCutEveryStep(t *testing.T) {
	for _, step := range []struct {
		name    string
		prepare func(*device)
		do      func(*device) error
		same    func(before, after bootctl.Record) bool // whether the step has not happened
	}{
		{
			name:    "stage",
			prepare: func(*device) {},
			do:      func(d *device) error { return d.put(t, "1.2.0") },
			same:    func(before, after bootctl.Record) bool { return after.Staged.IsEmpty() },
		},
		{
			name:    "switch",
			prepare: func(d *device) { must(t, d.put(t, "1.2.0")) },
			do:      func(d *device) error { return d.Switch(t.Context(), d.Record().StageSerial) },
			same:    func(before, after bootctl.Record) bool { return after.Pending == bootctl.None },
		},
		{
			name:    "discard",
			prepare: func(d *device) { must(t, d.put(t, "1.2.0")) },
			do:      func(d *device) error { return d.Discard(context.Background(), d.Record().StageSerial) },
			same:    func(before, after bootctl.Record) bool { return !after.Staged.IsEmpty() },
		},
		{
			name: "attempt",
			prepare: func(d *device) {
				must(t, d.put(t, "1.2.0"))
				must(t, d.Switch(t.Context(), d.Record().StageSerial))
			},
			do: func(d *device) error {
				_, refused, err := d.BootAttempt(t.Context(), 0)
				if err == nil {
					err = refused
				}
				return err
			},
			same: func(before, after bootctl.Record) bool { return after.TriesLeft == before.TriesLeft },
		},
		{
			name: "commit",
			prepare: func(d *device) {
				must(t, d.put(t, "1.2.0"))
				must(t, d.Switch(t.Context(), d.Record().StageSerial))
				d.attempt(t)
			},
			do:   func(d *device) error { return d.commit(d.Record().Boot) },
			same: func(before, after bootctl.Record) bool { return after.Active == before.Active },
		},
		{
			name:    "rollback",
			prepare: func(*device) {},
			do:      func(d *device) error { return d.Rollback(t.Context()) },
			same:    func(before, after bootctl.Record) bool { return after.Active == before.Active },
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			d := newDeviceOn()
			d.config.Clock = fixedClock{} // cuts that leave the same leave the same times
			disk := newDisk(t)
			must(t, d.boot(disk, d.medium))
			d.confirm(t, "1.0.0")
			d.confirm(t, "1.1.0")
			step.prepare(d)
			before, base, memory := d.Record(), disk.Clone(), slices.Clone(d.medium.raw)
			checked := durabletest.Checked{}
			for n, done := 0, false; !done; n++ {
				disk := base.Clone()
				must(t, d.boot(disk, &medium{raw: slices.Clone(memory)}))
				disk.CutAfter(n)
				done = step.do(d) == nil && !disk.MetCut()
				err := checked.EveryOutcome(disk, done, func(left *durabletest.Disk) error {
					next := newDeviceOn()
					if err := next.boot(left, next.medium); err != nil {
						return err
					}
					if after := next.Record(); done && step.same(before, after) {
						return fmt.Errorf("the step was reported done and is lost: %+v", after)
					}
					return next.tookUp(t.Context(), before)
				})
				if err != nil {
					t.Fatalf("cut after operation %d, %v", n, err)
				}
			}
		})
	}
}

// tookUp checks the record that a device has taken up after a cut, and what its slots hold.
func (d *device) tookUp(ctx context.Context, before bootctl.Record) error {
	after := d.Record()
	if after.Pending == bootctl.None && after.Active == before.Active && after.Slots != before.Slots {
		return fmt.Errorf("the slots were %+v and are %+v", before.Slots, after.Slots)
	}
	active := after.Slot(after.Active)
	if !active.Good || after.IsQuarantined(active.Digest) || after.Boot < before.Boot {
		return fmt.Errorf("the record is %+v", after)
	}
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B, bootctl.Staged} {
		if after.Slot(slot).IsEmpty() {
			continue
		}
		if err := d.Trial.inspector.verify(ctx, slot); err != nil {
			return err
		}
	}
	return nil
}
