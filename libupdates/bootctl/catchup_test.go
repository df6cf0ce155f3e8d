package bootctl_test

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// A record that was put back from a backup does not keep a newer set from running, and opens no way to an older one.
func TestCatchUp(t *testing.T) {
	m := must{t}
	empty := bootctl.Content{}
	factory, _ := bootctl.New().Reconcile(set(2), empty, empty) // slot a active
	factory = m.commit(m.attempt(factory))
	settled := m.update(factory, set(3))       // slot b active, slot a good
	staged := m.stage(settled, set(4))         // into slot a
	trial := m.attempt(m.put(settled, set(4))) // of slot a
	barred, err := m.attempt(m.put(factory, set(5))).Rollback(refusal.ByOperator, "")
	m.ok(err)
	floored := factory
	floored.Floor = "1.9.0"
	stuck, _ := factory.Reconcile(set(4), set(3), empty) // its slot is marked
	for _, c := range []struct {
		name      string
		record    bootctl.Record
		confirmed bootctl.Slot
		a, b      bootctl.Content
		want      string // summary of the result; empty: the record stays
	}{
		{"newer sets in both slots", factory, bootctl.A, set(4), set(3), "a"},
		{"newer sets, and the slot is marked", stuck, bootctl.A, set(4), set(3), "a"},
		{"the other slot was confirmed", factory, bootctl.B, set(3), set(4), "b"},
		{"the slot is empty, the other one was confirmed", factory, bootctl.B, empty, set(3), "b"},
		{"a stage is forgotten", staged, bootctl.B, set(5), set(6), "b"},
		{"a trial is forgotten", trial, bootctl.A, set(6), set(5), "a"},
		{"both slots as recorded", settled, bootctl.B, set(2), set(3), ""},
		{"the set to run is there", factory, bootctl.B, set(2), set(3), ""},
		{"the set to run is in the other slot", staged, bootctl.B, set(3), set(4), ""},
		{"there is one to return to", settled, bootctl.B, set(2), set(4), ""},
		{"an older set", factory, bootctl.A, set(1), set(3), ""},
		{"the same version", factory, bootctl.A, bootctl.Content{Digest: bootctl.Digest{9}, Version: "1.2.0"}, empty,
			""},
		{"no version", factory, bootctl.A, bootctl.Content{Digest: bootctl.Digest{9}}, empty, ""},
		{"a set below the floor", floored, bootctl.A, set(4), set(3), ""},
		{"a set in quarantine", barred, bootctl.A, set(5), empty, ""},
		{"nothing was ever confirmed", factory, bootctl.None, set(4), set(3), ""},
		{"the confirmed slot is empty", factory, bootctl.B, set(4), empty, ""},
		{"a set that was staged, and confirmed since", m.stage(factory, set(3)), bootctl.B, empty, set(3), "b"},
		{"a new device", bootctl.New(), bootctl.A, set(1), empty, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, behind := c.record.CatchUp(c.confirmed, c.a, c.b)
			equal(t, "behind", behind, c.want != "")
			if !behind {
				equal(t, "record", r, c.record)
				return
			}
			equal(t, "state", summary(r), c.want)
			equal(t, "slots", r.Slots, [2]bootctl.Content{c.a, c.b})
			equal(t, "quarantine", r.Quarantine, c.record.Quarantine)
			equal(t, "floor", r.Floor, c.record.Floor)
			_, err := bootctl.Encode(r)
			m.ok(err)
			_, changes := r.Reconcile(c.a, c.b, empty)
			equal(t, "changes", changes, []string(nil))
			for boot := range r.Boot + 1 {
				_, err := r.CommitHealth(boot)
				wantReason(t, err, refusal.WrongBoot)
			}
			m.commit(m.attempt(r))
		})
	}
}
