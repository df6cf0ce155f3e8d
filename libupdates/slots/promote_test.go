package slots_test

import (
	"syscall"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// promotable is a disk with 1.0.0 in slot a, 1.1.0 in slot b, and a version that is staged.
func promotable(t *testing.T, staged string) (*durabletest.Disk, *slots.Store) {
	t.Helper()
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	mustStage(t, s, bootctl.B, archive(t, "1.1.0"))
	mustStage(t, s, bootctl.Staged, archive(t, staged))
	return d, s
}

// A stage beside the slots leaves them as they are, and a start keeps the three sets.
func TestStagedBesideTheSlots(t *testing.T) {
	d, s := promotable(t, "1.2.0")
	for range 2 {
		wantSlot(t, s, bootctl.A, "1.0.0")
		wantSlot(t, s, bootctl.B, "1.1.0")
		wantSlot(t, s, bootctl.Staged, "1.2.0")
		s = open(t, d)
	}
	if err := s.SetActive(bootctl.Staged); refusal.Of(err) != refusal.SlotMismatch {
		t.Errorf("the staged set made active: %v", err)
	}
	if err := s.Promote(bootctl.Staged); refusal.Of(err) != refusal.SlotMismatch {
		t.Errorf("promoted to where it is: %v", err)
	}
}

// What is staged moves into a slot: another set, the one that is there, or the one in the other slot.
func TestPromote(t *testing.T) {
	for _, version := range []string{"1.2.0", "1.1.0", "1.0.0"} {
		d, s := promotable(t, version)
		if err := s.Promote(bootctl.B); err != nil {
			t.Fatal(err)
		}
		wantSlot(t, s, bootctl.A, "1.0.0")
		wantSlot(t, s, bootctl.B, version)
		wantSlot(t, s, bootctl.Staged, "")
		clean := diskHolding(t, durabletest.New(), version)
		if got, want := d.Snapshot(), clean.Snapshot(); len(got) != len(want) {
			t.Errorf("the disk holds %q, want %q", got, want)
		}
		if err := s.Promote(bootctl.B); refusal.Of(err) != refusal.MissingEntry {
			t.Errorf("promoted twice: %v", err)
		}
		wantSlot(t, s, bootctl.B, version)
	}
}

// A cut or an error after any operation leaves both links where they led, or both where they lead then, each to a whole
// set.
func TestPromoteIsOneStep(t *testing.T) {
	wantOneStep := func(what string, n int, s *slots.Store) (done bool) {
		t.Helper()
		in, staged := verified(t, s, bootctl.B), verified(t, s, bootctl.Staged)
		if !(in == "1.1.0" && staged == "1.2.0") && !(in == "1.2.0" && staged == "") {
			t.Errorf("%s %d: slot b holds %q, staged is %q", what, n, in, staged)
		}
		wantSlot(t, s, bootctl.A, "1.0.0")
		return staged == ""
	}
	moved := 0
	for n := 0; ; n++ {
		d, _ := promotable(t, "1.2.0")
		d = d.Clone()
		s := open(t, d)
		d.CutAfter(n)
		err := s.Promote(bootctl.B)
		for _, outcome := range durabletest.Outcomes() {
			if wantOneStep("cut after operation", n, open(t, d.Reboot(outcome))) {
				moved++
			}
		}
		if err == nil && !d.MetCut() {
			break
		}

		d, s = promotable(t, "1.2.0")
		d.FailAt(n, syscall.EIO)
		s.Promote(bootctl.B)
		d.Heal()
		wantOneStep("failed operation", n, open(t, d.Clone()))
	}
	if moved <= len(durabletest.Outcomes()) {
		t.Errorf("moved by %d states only", moved)
	}
}

func TestSetStaged(t *testing.T) {
	d, s := promotable(t, "1.2.0")
	changes := len(d.Changes())
	if err := s.SetStaged(held(s, bootctl.Staged)); err != nil || len(d.Changes()) != changes {
		t.Errorf("as it is: %v, after %q", err, d.Ops())
	}
	if err := s.SetStaged(held(s, bootctl.B)); err != nil {
		t.Error(err)
	}
	wantSlot(t, s, bootctl.Staged, "1.1.0")
	if err := s.SetStaged(held(s, bootctl.None)); err != nil {
		t.Error(err)
	}
	wantSlot(t, s, bootctl.Staged, "")
	wantSlot(t, s, bootctl.B, "1.1.0")
}
