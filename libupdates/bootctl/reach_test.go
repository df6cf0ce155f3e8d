package bootctl_test

import (
	"fmt"
	"slices"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// TestReachableStates goes breadth first through every state that the operations can reach with a few sets, and holds the invariants
// against each step. Numbers and history grow without end, so two records are the same state when they agree in what decides.
func TestReachableStates(t *testing.T) {
	const enough = 2000 // states; a smaller number means that the search got stuck
	seen := map[string]bool{key(bootctl.New()): true}
	for queue := []bootctl.Record{bootctl.New()}; len(queue) > 0; queue = queue[1:] {
		for name, next := range steps(t, queue[0]) {
			holds(t, name, queue[0], next)
			if k := key(next); !seen[k] {
				seen[k] = true
				queue = append(queue, next)
			}
		}
		if t.Failed() {
			return
		}
	}
	if len(seen) < enough {
		t.Errorf("reached %d states, want at least %d", len(seen), enough)
	}
}

// steps applies every operation and returns the records of those that were accepted.
func steps(t *testing.T, r bootctl.Record) map[string]bootctl.Record {
	accepted := map[string]bootctl.Record{}
	do := func(name string, next bootctl.Record, err error) {
		if err == nil {
			accepted[name] = next
		} else if key(next) != key(r) || next.Boot != r.Boot || len(next.History) != len(r.History) {
			t.Errorf("%s was refused and changed %s to %s", name, key(r), key(next))
		}
	}
	for n := byte(1); n <= 3; n++ {
		next, _, err := r.Stage(set(n))
		do(fmt.Sprint("stage ", n), next, err)
		next, err = r.ClearQuarantine(set(n).Digest)
		do(fmt.Sprint("clear ", n), next, err)
		for _, s := range []bootctl.Slot{bootctl.A, bootctl.B} {
			found := r.Slots
			found[s-bootctl.A] = set(n)
			next, _ := r.Reconcile(found[0], found[1])
			do(fmt.Sprint("find ", n, s), next, nil)
			found[s-bootctl.A] = bootctl.Content{}
			next, _ = r.Reconcile(found[0], found[1])
			do(fmt.Sprint("lose ", s), next, nil)
		}
	}
	for boot := range 3 {
		number := r.Boot - uint64(boot)
		next, err := r.CommitHealth(number)
		do(fmt.Sprint("commit -", boot), next, err)
		for _, reason := range []refusal.Reason{refusal.HealthTimeout, refusal.ServiceExited} {
			next, _, err := r.Fail(number, reason, "")
			do(fmt.Sprint("fail -", boot, reason), next, err)
		}
	}
	next, err := r.Discard(r.StageSerial)
	do("discard", next, err)
	next, err = r.Switch(r.StageSerial, 2)
	do("switch", next, err)
	next, _ = r.BootAttempt()
	do("attempt", next, nil)
	next, err = r.Rollback(refusal.ByOperator, "")
	do("roll back", next, err)
	return accepted
}

// key is what decides about a record's future.
func key(r bootctl.Record) string {
	var quarantined []byte
	for _, q := range r.Quarantine {
		quarantined = append(quarantined, q.Digest[0])
	}
	slices.Sort(quarantined)
	begun := slices.ContainsFunc(r.History, func(e bootctl.Event) bool { return e.Op == bootctl.OpAttempt && e.Boot == r.Boot })
	content := func(c bootctl.Content) string { return fmt.Sprint(c.Digest[0], c.Good) }
	return fmt.Sprint(summary(r), begun, content(r.Slots[0]), content(r.Slots[1]), quarantined)
}

// holds asserts the invariants of one accepted step.
func holds(t *testing.T, name string, before, after bootctl.Record) {
	check := func(ok bool, invariant string) {
		if !ok {
			t.Errorf("%s: %s -> %s: %s", name, key(before), key(after), invariant)
		}
	}
	check(after.Active == bootctl.A || after.Active == bootctl.B, "a slot is active")
	check(after.Pending == bootctl.None || after.Pending == after.Standby(), "the pending slot is not the active one")
	check(after.Staged == bootctl.None || after.Staged == after.Standby(), "the staged slot is not the active one")
	check(after.Pending == bootctl.None || after.Staged == bootctl.None, "nothing is staged during a trial")
	check(after.TriesLeft == 0 || after.Pending != bootctl.None, "tries are left only during a trial")
	check(after.Pending == bootctl.None || !after.HealthOK, "nothing is confirmed during a trial")
	check(after.Pending == bootctl.None || after.TriesLeft > 0 || !isDue(after), "a trial has a try left or under way")
	for _, s := range []bootctl.Slot{after.Pending, after.Staged} {
		check(s == bootctl.None || !after.Slot(s).IsEmpty(), "no empty slot is staged or pending")
		check(s == bootctl.None || !after.IsQuarantined(after.Slot(s).Digest), "no quarantined set is staged or pending")
	}
	committed := after.Active != before.Active && before.Pending == after.Active
	check(!committed || (name == "commit -0" && !isDue(before)), "a pending slot becomes active only by a commit of the begun attempt")
	check(after.Boot >= before.Boot, "numbers of attempts only grow")
	check(endsTrial(after), "a trial without a verdict ends")
	if raw, err := bootctl.Encode(after); err != nil {
		check(false, err.Error())
	} else if _, err := bootctl.Decode(raw); err != nil {
		check(false, err.Error())
	}
}

// isDue reports whether no attempt of the current number was begun.
func isDue(r bootctl.Record) bool {
	_, err := r.CommitHealth(r.Boot)
	return refusal.Of(err) == refusal.WrongBoot
}

// endsTrial reports whether attempts without any verdict come back to the active slot, in one attempt more than there are tries.
func endsTrial(r bootctl.Record) bool {
	active := r.Active
	for range int(r.TriesLeft) + 1 {
		r, _ = r.BootAttempt()
	}
	return r.Pending == bootctl.None && r.Active == active
}
