package bootctl_test

import (
	"strings"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

func TestReconcile(t *testing.T) {
	m := must{t}
	empty := bootctl.Content{}
	broken := bootctl.Content{Damage: refusal.SlotMismatch} // something that leads to no set
	settled := m.update(bootctl.New(), set(1))              // slot b active
	staged := m.stage(settled, set(2))
	trial := m.attempt(m.put(settled, set(2)))                // of slot a
	returnable := m.update(m.update(settled, set(2)), set(3)) // slot b active, slot a good
	committed := m.attempt(m.put(m.update(settled, set(2)), set(3)))
	watched, err := committed.CommitAndWatch(committed.Boot, 2)
	m.ok(err)
	for _, c := range []struct {
		name    string
		record  bootctl.Record
		a, b, c bootctl.Content // as found in the slots, and staged
		want    string          // summary of the result
		slots   string          // what they hold then
		changes int
	}{
		{"a new device with a factory set", bootctl.New(), set(1), empty, empty, "a", "1 -", 1},
		{"as recorded", settled, empty, set(1), empty, "b ok", "- 1", 0},
		{"a slot that was filled by nobody we know", settled, set(2), set(1), empty, "b ok", "2 1", 1},
		{"a stage whose record was cut off", settled, empty, set(1), set(2), "b ok", "- 1", 0},
		{"the staged set is there", staged, empty, set(1), set(2), "b staged 2 ok", "- 1", 0},
		{"the staged set is gone", staged, empty, set(1), empty, "b ok", "- 1", 1},
		{"the staged set is another", staged, empty, set(1), set(3), "b ok", "- 1", 1},
		{"the staged set is in the standby slot", staged, set(2), set(1), empty, "b staged 2 ok", "2 1", 1},
		{"the staged set is in the active slot", staged, empty, set(2), empty, "b ok", "- 1 slot-mismatch", 2},
		{"the set on trial is there", trial, set(2), set(1), empty, "b pending a 1", "2 1", 0},
		{"the set on trial is gone", trial, empty, set(1), empty, "b", "2 missing-entry 1", 1},
		{"the set on trial is no set", trial, broken, set(1), empty, "b", "2 slot-mismatch 1", 1},
		{"the set on trial is another", trial, set(3), set(1), empty, "b", "3 1", 1},
		{"the way back from a trial is gone", trial, set(2), empty, empty, "b pending a 1", "2 1 missing-entry", 1},
		{"the active set is gone, with nothing to return to", settled, empty, empty, empty, "b ok", "- 1 missing-entry",
			1},
		{"the active set is no set", settled, empty, broken, empty, "b ok", "- 1 slot-mismatch", 1},
		{"the active set is another, with nothing to return to", settled, empty, set(3), empty, "b ok",
			"- 1 slot-mismatch", 1},
		{"the active set is gone", returnable, set(2), empty, empty, "a", "2 3 missing-entry", 1},
		{"the active set is another", returnable, set(2), set(4), empty, "a", "2 4", 1},
		{"the set under watch is gone", watched, set(2), empty, empty, "a", "2 3 missing-entry", 1},
		{"the set before the one under watch is gone", watched, empty, set(3), empty, "b ok", "2 missing-entry 3", 1},
		{"all is gone", returnable, empty, empty, empty, "b ok", "2 missing-entry 3 missing-entry", 2},
		{"both are others", trial, set(3), set(4), empty, "b", "3 1 slot-mismatch", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, changes := c.record.Reconcile(c.a, c.b, c.c)
			equal(t, "state", summary(r), c.want)
			equal(t, "slots", held(r), c.slots)
			equal(t, "changes", len(changes), c.changes)
			equal(t, "quarantine", r.Quarantine, c.record.Quarantine)
			if r.HealthOK && r.Slot(r.Active).Damage != "" {
				_, err := r.Restart(bootctl.Power).CommitHealth(r.Boot + 1)
				wantReason(t, err, refusal.WrongBoot)
			}
			again, changes := r.Reconcile(c.a, c.b, c.c)
			equal(t, "applied again", again, r)
			equal(t, "changes of the second time", len(changes), 0)
		})
	}
}

// held is what the slots of a record hold, with their damage.
func held(r bootctl.Record) string {
	var words []string
	for _, c := range r.Slots {
		name := "-"
		if !c.IsEmpty() {
			name = string('0' + c.Digest[0])
		}
		words = append(words, name)
		if c.Damage != "" {
			words = append(words, string(c.Damage))
		}
	}
	return strings.Join(words, " ")
}

// Goodness belongs to a set in a slot: what is found on the disk proves none, and takes none away where the set is the
// same.
func TestReconcileAndGoodness(t *testing.T) {
	settled := must{t}.update(bootctl.New(), set(1))
	claims := set(2)
	claims.Good = true
	r, changes := settled.Reconcile(claims, set(1), bootctl.Content{})
	equal(t, "set that was found", r.Slot(bootctl.A).Good, false)
	equal(t, "set that was confirmed", r.Slot(bootctl.B).Good, true)
	equal(t, "changes", changes, []string{"slot a: recorded nothing, found 1.2.0 (" + claims.Digest.String() + ")"})
}

// A set on trial is not to blame for the loss of its slot.
func TestAVanishedTrialIsNotQuarantined(t *testing.T) {
	m := must{t}
	trial := m.attempt(m.put(m.update(bootctl.New(), set(1)), set(2)))
	r, _ := trial.Reconcile(bootctl.Content{}, set(1), bootctl.Content{})
	equal(t, "reason", r.LastRollback.Reason, refusal.MissingEntry)
	equal(t, "left set", r.LastRollback.Digest, set(2).Digest)
	equal(t, "quarantined", r.IsQuarantined(set(2).Digest), false)
	_, err := r.CommitHealth(trial.Boot)
	wantReason(t, err, refusal.WrongBoot)
}

// A slot in which damage was found is never confirmed, whenever it was found.
func TestADamagedSlotIsNotConfirmed(t *testing.T) {
	m := must{t}
	r := m.attempt(m.update(bootctl.New(), set(1)))
	r, err := r.Damage(r.Active, refusal.DigestMismatch, "")
	m.ok(err)
	for name, commit := range map[string]func() (bootctl.Record, error){
		"for good":        func() (bootctl.Record, error) { return r.CommitHealth(r.Boot) },
		"and under watch": func() (bootctl.Record, error) { return r.CommitAndWatch(r.Boot, 2) },
	} {
		next, err := commit()
		wantReason(t, err, refusal.WrongBoot)
		equal(t, name, next, r)
	}
	m.commit(r.Mended(r.Active))
}

// Without a record the slot that was confirmed last runs, and no other: what is there instead may have been rolled
// back.
func TestResume(t *testing.T) {
	empty := bootctl.Content{}
	for _, c := range []struct {
		name      string
		confirmed bootctl.Slot
		a, b      bootctl.Content
		active    bootctl.Slot
		slots     string
	}{
		{"a new device", bootctl.None, empty, empty, bootctl.A, "- -"},
		{"nothing was ever confirmed", bootctl.None, empty, set(2), bootctl.A, "- 2"},
		{"slot b was confirmed", bootctl.B, set(1), set(2), bootctl.B, "1 2"},
		{"slot b was confirmed and is gone", bootctl.B, set(1), empty, bootctl.B, "1 - missing-entry"},
		{"all is gone", bootctl.A, empty, empty, bootctl.A, "- missing-entry -"},
	} {
		r := bootctl.Resume(c.confirmed, c.a, c.b)
		equal(t, c.name, r.Active, c.active)
		equal(t, c.name, held(r), c.slots)
		equal(t, c.name+": good", r.Slot(r.Active).Good, !r.Slot(r.Active).IsEmpty())
		_, err := bootctl.Encode(r)
		must{t}.ok(err)
		again, _ := r.Reconcile(c.a, c.b, empty)
		equal(t, c.name+": reconciled", again, r)
	}
}

// A rollback in a trial goes to the active slot, if that still holds its set.
func TestNoRollbackToDamage(t *testing.T) {
	m := must{t}
	trial := m.attempt(m.put(m.update(bootctl.New(), set(1)), set(2)))
	trial, err := trial.Damage(trial.Active, refusal.InvalidSignature, "")
	m.ok(err)
	_, err = trial.Rollback(refusal.ByOperator, "")
	wantReason(t, err, refusal.NoPrevious)
}

// What must not run does not: whatever brought it into the slot.
func TestMayRun(t *testing.T) {
	m := must{t}
	r := m.update(m.update(bootctl.New(), set(1)), set(2))
	r, err := r.Rollback(refusal.ByOperator, "")
	m.ok(err)
	m.ok(r.MayRun(r.Active))
	m.ok(bootctl.New().MayRun(bootctl.A))
	wantReason(t, r.MayRun(r.Standby()), refusal.Quarantined)
	r.Floor = "1.5.0"
	wantReason(t, r.MayRun(r.Active), refusal.VersionFloor)
}
