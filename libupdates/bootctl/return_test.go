package bootctl_test

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// What an operator may return to: each condition on its own stands in the way.
func TestNoPrevious(t *testing.T) {
	m := must{t}
	updated := m.update(m.update(bootctl.New(), set(1)), set(2)) // slot a holds set 2, slot b the good set 1
	for name, spoil := range map[string]func(*bootctl.Record){
		"the slot is empty":    func(r *bootctl.Record) { r.Slots[1] = bootctl.Content{} },
		"the set was not good": func(r *bootctl.Record) { r.Slots[1].Good = false },
		"it is the same set":   func(r *bootctl.Record) { r.Slots[1].Digest = r.Slots[0].Digest },
		"it is quarantined": func(
			r *bootctl.Record) {
			r.Quarantine = []bootctl.Quarantined{{Digest: set(1).Digest}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := updated
			spoil(&r)
			after, err := r.Rollback(refusal.ByOperator, "")
			wantReason(t, err, refusal.NoPrevious)
			equal(t, "record", after, r)
		})
	}
	r, err := updated.Rollback(refusal.ByOperator, "worked better before")
	m.ok(err)
	equal(t, "active slot", r.Active, bootctl.B)
	equal(t, "confirmed", r.HealthOK, false)
	equal(t, "quarantine", r.Quarantine, []bootctl.Quarantined{{Digest: set(2).Digest, Version: set(2).Version,
		Reason: refusal.ByOperator}})
	_, err = r.Rollback(refusal.ByOperator, "")
	wantReason(t, err, refusal.NoPrevious)

	// From an active slot that lost its set it goes back by itself, with nothing to quarantine.
	lost, _ := updated.Reconcile(bootctl.Content{}, set(1), bootctl.Content{})
	equal(t, "quarantine", len(lost.Quarantine), 0)
	equal(t, "active slot", lost.Active, bootctl.B)
}

// A record from elsewhere may have staged what is quarantined; the switch is where it must end.
func TestSwitchRefusesAQuarantinedSet(t *testing.T) {
	r := must{t}.stage(bootctl.New(), set(1))
	r.Quarantine = []bootctl.Quarantined{{Digest: set(1).Digest}}
	after, err := r.Switch(r.StageSerial, 2)
	wantReason(t, err, refusal.Quarantined)
	equal(t, "record", after, r)
}

func TestDiscardLeavesTheSlots(t *testing.T) {
	m := must{t}
	settled := m.update(m.update(bootctl.New(), set(1)), set(2))
	staged := m.stage(settled, set(3))
	r, err := staged.Discard(staged.StageSerial)
	m.ok(err)
	equal(t, "slots", r.Slots, settled.Slots)
	equal(t, "staged", r.Staged, bootctl.Content{})
}

// A stage takes nothing from the way back; what is staged stays so, unless it is the set that is back.
func TestReturnWithAStagedSet(t *testing.T) {
	m := must{t}
	updated := m.update(m.update(bootctl.New(), set(1)), set(2))
	for staged, want := range map[byte]string{3: "b staged 3 q1", 1: "b q1"} {
		r, err := m.stage(updated, set(staged)).Rollback(refusal.ByOperator, "")
		m.ok(err)
		equal(t, "after the rollback", summary(r), want)
		equal(t, "what runs", r.Slot(r.Active).Digest, set(1).Digest)
	}
}

// A set is staged beside a set under watch. Whatever then ends the watch badly, the set before comes back.
func TestStageKeepsTheWatch(t *testing.T) {
	m := must{t}
	watched := watched(t, 2)
	staged := m.stage(watched, set(3))
	equal(t, "slots", staged.Slots, watched.Slots)
	equal(t, "attempts left", staged.WatchLeft, watched.WatchLeft)
	back, verdict, err := staged.Fail(staged.Boot, refusal.CrashLoop, "")
	m.ok(err)
	equal(t, "verdict", verdict, bootctl.RolledBack)
	equal(t, "what runs", back.Slot(back.Active).Digest, set(1).Digest)
	switched, err := back.Switch(back.StageSerial, 2)
	m.ok(err)
	equal(t, "what is on trial then", switched.Slot(switched.Pending).Digest, set(3).Digest)
	equal(t, "in the slot that was left", switched.Pending, watched.Active)

	over, err := staged.Switch(staged.StageSerial, 2)
	m.ok(err)
	equal(t, "attempts left after the switch", over.WatchLeft, uint8(0))
	equal(t, "what a failed trial returns to", over.Slot(over.Active).Digest, set(2).Digest)
}
