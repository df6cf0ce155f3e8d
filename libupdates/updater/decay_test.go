package updater

import (
	"reflect"
	"slices"
	"testing"

	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// newKept is a device whose disk has fs-verity.
func newKept(t *testing.T) *device {
	t.Helper()
	d := newDeviceOn()
	d.disk = durabletest.NewWithVerity()
	d.config.Slots, d.config.Record = d.disk, d.medium
	must(t, d.open())
	return d
}

// decay changes the payload in the running slot.
func (d *device) decay(t *testing.T, text string) {
	t.Helper()
	must(t, d.disk.Overwrite(d.Record().Running().String()+"/notes.nxb/payload.elf", []byte(text)))
}

// An attempt does not meet a block that has decayed under fs-verity; a check does. Until the slot is whole again, every
// byte of it is read, and it is not run.
func TestADecayedSlotStaysMarked(t *testing.T) {
	d := newKept(t)
	d.confirm(t, "1.0.0")
	d.decay(t, "Bytes of 1.0.0")
	d.attempt(t)
	checks, err := d.Scrub(t.Context())
	if err != nil || checks[1].Reason() != refusal.Damaged {
		t.Fatalf("the check found %+v, %v", checks, err)
	}
	for range 2 {
		_, refused, err := d.BootAttempt(t.Context(), 0)
		if refusal.Of(refused) != refusal.Damaged || err != nil {
			t.Fatalf("the attempt: %v, %v", refused, err)
		}
	}
	d.decay(t, "bytes of 1.0.0")
	d.attempt(t)
	if damage := d.Record().Slot(d.Record().Running()).Damage; damage != "" {
		t.Errorf("still marked: %s", damage)
	}
}

// The set in the other slot comes back when a check finds decay in the one that runs.
func TestDecayBringsTheOtherSlotBack(t *testing.T) {
	d := newKept(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	active := d.Record().Active
	d.decay(t, "Bytes of 1.1.0")
	_, err := d.Scrub(t.Context())
	must(t, err)
	a := d.attempt(t)
	if r := d.Record(); a.Slot != active.Other() || r.Slot(active).Damage != refusal.Damaged {
		t.Errorf("got attempt %+v, record %+v", a, r)
	}
}

// A set that was installed on a file system without fs-verity is protected by the next attempt, and the status says so.
func TestAnAttemptProtectsAnOlderSet(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	unkept := func() slots.Content { return d.ledger.slots.content(d.Record().Running()) }
	if got := unkept().Unkept; got != "no fs-verity" {
		t.Errorf("unkept is %q", got)
	}
	d.disk.GiveVerity()
	d.attempt(t)
	if got := unkept().Unkept; got != "" {
		t.Errorf("after an attempt with fs-verity, unkept is %q", got)
	}
}

// On a file system that says that it has enabled fs-verity, and has not, nothing is staged any more. What runs is read
// at each attempt, and the status says so.
func TestAFileSystemThatKeepsNothing(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	d.disk.GiveFalseVerity()
	before, disk := d.Record(), d.disk.Snapshot()
	if err := d.put(t, "1.1.0"); refusal.Of(err) != refusal.Damaged {
		t.Errorf("staged: %v", err)
	}
	if now := d.Record(); !reflect.DeepEqual(now, before) || !slices.Equal(d.disk.Snapshot(), disk) {
		t.Errorf("the refusal changed something: %+v", now)
	}
	d.attempt(t)
	if got := d.ledger.slots.content(d.Record().Running()).Unkept; got != "fs-verity is not enabled" {
		t.Errorf("unkept is %q", got)
	}
	d.decay(t, "Bytes of 1.0.0")
	if _, refused, err := d.BootAttempt(t.Context(), 0); refusal.Of(refused) != refusal.DigestMismatch || err != nil {
		t.Errorf("an attempt with other bytes: %v, %v", refused, err)
	}
}

// A program that met damage has its slot checked, and only in its own attempt: the other slot comes back if it is so.
func TestSuspect(t *testing.T) {
	d := newKept(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	r := d.Record()
	must(t, d.Trial.Suspect(t.Context(), r.Boot))
	if now := d.Record(); now.Boot != r.Boot || now.Slot(r.Active).Damage != "" {
		t.Errorf("without damage: %+v", now)
	}
	d.decay(t, "Bytes of 1.1.0")
	must(t, d.Trial.Suspect(t.Context(), r.Boot-1))
	if now := d.Record(); now.Slot(r.Active).Damage != "" {
		t.Errorf("for another attempt: %+v", now)
	}
	must(t, d.Trial.Suspect(t.Context(), r.Boot))
	now := d.Record()
	if now.Slot(r.Active).Damage != refusal.Damaged || now.Running() != r.Active.Other() || len(now.Quarantine) > 0 {
		t.Errorf("with damage: %+v", now)
	}
	if a := d.attempt(t); a.Slot != r.Active.Other() {
		t.Errorf("the next attempt: %+v", a)
	}
}

// A set on trial whose slot is damaged ends its trial without quarantine.
func TestSuspectOnTrial(t *testing.T) {
	d := newKept(t)
	d.confirm(t, "1.0.0")
	a := d.tryOut(t, "1.1.0")
	d.decay(t, "Bytes of 1.1.0")
	must(t, d.Trial.Suspect(t.Context(), a.Boot))
	if now := d.Record(); now.Running() != a.Slot.Other() || len(now.Quarantine) > 0 {
		t.Errorf("got %+v", now)
	}
	_, err := d.Trial.Fail(t.Context(), Failure{Boot: a.Boot, Reason: refusal.ServiceExited})
	if refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("a verdict on that attempt: %v", err)
	}
}
