package updater

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
)

// bootAfter boots a disk as a machine does that saw why.
func bootAfter(t *testing.T, disk *durabletest.Disk, seen bootctl.Cause) *device {
	t.Helper()
	d := newDeviceOn()
	d.config.Cause = seen
	must(t, d.boot(disk, d.medium))
	return d
}

// midTrial boots a disk on which a second set has begun the first of its two tries.
func midTrial(t *testing.T) (*durabletest.Disk, *device) {
	t.Helper()
	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	d.confirm(t, "1.0.0")
	must(t, d.put(t, "1.1.0"))
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	d.attempt(t)
	return disk, d
}

func TestAnOrderedEndCostsNoTry(t *testing.T) {
	disk, d := midTrial(t)
	for range 3 {
		must(t, d.EndBoot())
		must(t, d.EndBoot())
		d = bootAfter(t, disk, bootctl.Power)
		if r := d.Record(); r.BootCause != bootctl.Commanded || r.TriesLeft != 2 {
			t.Fatalf("the boot after an ordered end is at %+v", r)
		}
		if a := d.attempt(t); !a.Trial || a.TriesLeft != 1 {
			t.Fatalf("got attempt %+v", a)
		}
	}
	d = bootAfter(t, disk, bootctl.Watchdog)
	if r := d.Record(); r.BootCause != bootctl.Watchdog || r.TriesLeft != 1 || r.AbruptEnds != 1 {
		t.Errorf("the boot after an end that nobody ordered is at %+v", r)
	}
}

// The mark is in the record once the call returns, and the order has happened or has not, wherever the power is cut.
func TestAnOrderIsDurableOrHasNotHappened(t *testing.T) {
	base, _ := midTrial(t)
	for n, done := 0, false; !done; n++ {
		for _, outcome := range durabletest.Outcomes() {
			disk := base.Clone()
			d := newDeviceOn()
			must(t, d.boot(disk, d.medium))
			d.attempt(t) // the second try
			disk.CutAfter(n)
			done = d.EndBoot() == nil && !disk.MetCut()
			r := bootAfter(t, disk.Reboot(outcome), bootctl.Power).Record()
			ordered := r.BootCause == bootctl.Commanded && r.TriesLeft == 1
			cut := r.BootCause == bootctl.Power && r.TriesLeft == 0
			if !ordered && !cut || done && !ordered {
				t.Fatalf("cut after operation %d, %s: done is %t, the record %+v", n, outcome.Name, done, r)
			}
		}
	}
}

// Another life of the daemon in the same boot notes no boot, and keeps the order.
func TestAnOrderOutlivesTheDaemon(t *testing.T) {
	disk, d := midTrial(t)
	must(t, d.EndBoot())
	again := mustBoot(t, disk, d.medium)
	if r := again.Record(); !r.EndOrdered || len(r.History) != len(d.Record().History) {
		t.Errorf("in the same boot the record is %+v", r)
	}
}
