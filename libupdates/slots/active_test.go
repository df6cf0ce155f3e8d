package slots_test

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

func active(t *testing.T, s *slots.Store) bootctl.Slot {
	t.Helper()
	slot, err := s.Active()
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

func TestActive(t *testing.T) {
	disk := durabletest.New()
	s := open(t, disk)
	must(t, s.SetActive(bootctl.A)) // nothing is there to be found again
	if got := active(t, s); got != bootctl.None {
		t.Errorf("on a new device slot %s was confirmed", got)
	}
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	must(t, s.SetActive(bootctl.A))
	if got := active(t, s); got != bootctl.A {
		t.Errorf("got slot %s, want a", got)
	}
	for _, slot := range []bootctl.Slot{bootctl.B, bootctl.B, bootctl.A} {
		if err := s.SetActive(slot); err != nil {
			t.Fatal(err)
		}
		if got := active(t, open(t, disk)); got != slot {
			t.Errorf("got slot %s, want %s", got, slot)
		}
	}
	if err := s.SetActive(bootctl.None); refusal.Of(err) != refusal.SlotMismatch {
		t.Errorf("no slot: %v", err)
	}
}

// TestActiveAfterACut cuts the power after every operation and tries every state of the disk: the old slot or the new
// one is active, and once SetActive has returned, the new one.
func TestActiveAfterACut(t *testing.T) {
	for n := 0; ; n++ {
		before := durabletest.New()
		if err := open(t, before).SetActive(bootctl.B); err != nil {
			t.Fatal(err)
		}
		done := false
		for _, outcome := range durabletest.Outcomes() {
			disk := before.Clone()
			s := open(t, disk)
			disk.CutAfter(n)
			err := s.SetActive(bootctl.A)
			done = !disk.MetCut()
			got := active(t, open(t, disk.Reboot(outcome)))
			if got != bootctl.A && got != bootctl.B || err == nil && got != bootctl.A {
				t.Errorf("cut after %d operations, %v: slot %s, error %v", n, outcome, got, err)
			}
		}
		if done {
			return
		}
	}
}
