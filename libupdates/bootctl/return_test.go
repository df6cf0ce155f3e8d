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
		"the slot is staged to": func(r *bootctl.Record) { r.Staged = bootctl.B },
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
	lost, _ := updated.Reconcile(bootctl.Content{}, set(1))
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

func TestDiscardEmptiesTheSlot(t *testing.T) {
	m := must{t}
	r := m.stage(m.update(bootctl.New(), set(1)), set(2))
	r, err := r.Discard(r.StageSerial)
	m.ok(err)
	equal(t, "standby content", r.Slot(bootctl.A), bootctl.Content{})
	equal(t, "active content", r.Slot(bootctl.B).Digest, set(1).Digest)
	equal(t, "staged", r.Staged, bootctl.None)
}
