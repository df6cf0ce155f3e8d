package bootctl_test

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

func TestReconcile(t *testing.T) {
	m := must{t}
	empty := bootctl.Content{}
	settled := m.update(bootctl.New(), set(1)) // slot b active
	staged := m.stage(settled, set(2))         // into slot a
	trial := m.attempt(m.put(settled, set(2)))
	for _, c := range []struct {
		name    string
		record  bootctl.Record
		a, b    bootctl.Content // as found
		want    string          // summary of the result
		changes int
	}{
		{"a new device with a factory set", bootctl.New(), set(1), empty, "a", 1},
		{"as recorded", settled, empty, set(1), "b ok", 0},
		{"a stage whose record was cut off", settled, set(2), set(1), "b ok", 1},
		{"the staged set is there", staged, set(2), set(1), "b staged a ok", 0},
		{"the staged set is gone", staged, empty, set(1), "b ok", 1},
		{"the staged set is another", staged, set(3), set(1), "b ok", 1},
		{"the set on trial is there", trial, set(2), set(1), "b pending a 1", 0},
		{"the set on trial is gone", trial, empty, set(1), "b q1", 1},
		{"the set on trial is another", trial, set(3), set(1), "b q1", 1},
		{"the active set is gone", settled, empty, empty, "b", 1},
		{"the active set is another", settled, empty, set(3), "b", 1},
		{"both are others", trial, set(3), set(4), "b q1", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, changes := c.record.Reconcile(c.a, c.b)
			equal(t, "state", summary(r), c.want)
			equal(t, "changes", len(changes), c.changes)
			equal(t, "digest in slot a", r.Slot(bootctl.A).Digest, c.a.Digest)
			equal(t, "digest in slot b", r.Slot(bootctl.B).Digest, c.b.Digest)
			again, changes := r.Reconcile(c.a, c.b)
			equal(t, "applied again", again, r)
			equal(t, "changes of the second time", len(changes), 0)
		})
	}
}

// Goodness belongs to a set in a slot: what is found on the disk proves none, and takes none away where the set is the same.
func TestReconcileAndGoodness(t *testing.T) {
	settled := must{t}.update(bootctl.New(), set(1))
	claims := set(2)
	claims.Good = true
	r, changes := settled.Reconcile(claims, set(1))
	equal(t, "set that was found", r.Slot(bootctl.A).Good, false)
	equal(t, "set that was confirmed", r.Slot(bootctl.B).Good, true)
	equal(t, "changes", changes, []string{"slot a: recorded nothing, found 1.2.0 (" + claims.Digest.String() + ")"})
}

func TestVanishedTrialIsQuarantined(t *testing.T) {
	m := must{t}
	trial := m.attempt(m.put(m.update(bootctl.New(), set(1)), set(2)))
	r, _ := trial.Reconcile(bootctl.Content{}, set(1))
	equal(t, "reason", r.LastRollback.Reason, refusal.PublishFailed)
	equal(t, "left set", r.LastRollback.Digest, set(2).Digest)
	_, err := r.CommitHealth(trial.Boot)
	wantReason(t, err, refusal.WrongBoot)
}
