package oracle_test

import (
	"errors"
	"strings"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/selftest/oracle"
)

// TestPromise breaks one part of a promise at a time.
func TestPromise(t *testing.T) {
	for _, c := range []struct {
		want  string // empty: nothing is broken
		spoil func(now *oracle.State)
	}{
		{"", func(*oracle.State) {}},
		{"", func(now *oracle.State) { now.Boot = 9 }},
		{"", func(now *oracle.State) { now.StagedSlot, now.PendingSlot = nil, now.StagedSlot }},
		{"slot b is active and empty", func(now *oracle.State) { now.ActiveSlot, now.Slots.B.IndexSHA256 = "b", nil }},
		{"other is active, which was neither", func(now *oracle.State) { *now.Slots.A.IndexSHA256 = "other" }},
		{"next was staged, and is neither", func(now *oracle.State) { now.StagedSlot = nil }},
		{"broken is no longer in quarantine", func(now *oracle.State) { now.Quarantine = nil }},
		{`the version floor is "2", want ["" "1"]`, func(now *oracle.State) { *now.VersionFloor = "2" }},
		{"the boot number went from 5 to 4", func(now *oracle.State) { now.Boot = 4 }},
		{"the boot number went from 5 to 10", func(now *oracle.State) { now.Boot = 10 }},
	} {
		was, next, slot, floor := "was", "next", "b", "1"
		now := oracle.State{ActiveSlot: "a", StagedSlot: &slot, VersionFloor: &floor, Boot: 5,
			Quarantine: []oracle.Quarantined{{IndexSHA256: "broken", Reason: refusal.ServiceExited}}}
		now.Slots.A.IndexSHA256, now.Slots.B.IndexSHA256 = &was, &next
		c.spoil(&now)
		err := oracle.Promise{Active: []string{"was"}, Staged: "next", Quarantined: []string{"broken"},
			Floors: []string{"", "1"}, Boot: 5, Boots: 4}.Check(now)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// someSets returns a set that is active, one that is good as well, and a broken one.
func someSets() (was, next, broken *oracle.Set) {
	return &oracle.Set{Name: "was", Digest: "aaa"}, &oracle.Set{Name: "next", Digest: "bbb"},
		&oracle.Set{Name: "broken", Digest: "ccc", Fate: oracle.Broken, Reason: refusal.ServiceExited}
}

// stateOf is a quiet state: set a is confirmed in slot a, b is in the other.
func stateOf(boot uint64, a, b string) oracle.State {
	s := oracle.State{ActiveSlot: "a", HealthOK: true, Boot: boot}
	s.Slots.A.IndexSHA256, s.Slots.B.IndexSHA256 = &a, &b
	return s
}

// TestMayBe refuses states that must not be for a moment.
func TestMayBe(t *testing.T) {
	was, next, broken := someSets()
	slot := "b"
	sets := oracle.Sets{was, next, broken}
	for _, c := range []struct {
		name string
		now  func() oracle.State
		want string
	}{
		{"a good set is active", func() oracle.State { return stateOf(1, "aaa", "") }, ""},
		{"a broken set is on trial", func() oracle.State {
			now := stateOf(1, "aaa", "ccc")
			now.PendingSlot = &slot
			return now
		}, ""},
		{"a broken set is active", func() oracle.State { return stateOf(1, "ccc", "aaa") }, "which is broken"},
		{"an unknown set is active", func() oracle.State { return stateOf(1, "ddd", "") }, "which is no verified set"},
		{"nothing is active", func() oracle.State { return stateOf(1, "", "aaa") }, "which is no verified set"},
		{"an unknown set stands by", func() oracle.State { return stateOf(1, "aaa", "ddd") }, "the standby slot holds"},
		{"a quarantined set is on trial", func() oracle.State {
			now := stateOf(1, "aaa", "ccc")
			now.PendingSlot, now.Quarantine = &slot,
				[]oracle.Quarantined{{IndexSHA256: "ccc", Reason: refusal.ServiceExited}}
			return now
		}, "is on trial and holds a quarantined set"},
		{"a quarantined set is staged", func() oracle.State {
			now := stateOf(1, "aaa", "ccc")
			now.StagedSlot, now.Quarantine = &slot,
				[]oracle.Quarantined{{IndexSHA256: "ccc", Reason: refusal.ServiceExited}}
			return now
		}, "is staged and quarantined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.now().Check(sets)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestHistory finds what no history may say.
func TestHistory(t *testing.T) {
	was, next, broken := someSets()
	sets, a, empty := oracle.Sets{was, next, broken}, "a", ""
	attempt := oracle.Event{Op: "attempt", Slot: &a, IndexSHA256: &was.Digest, Boot: 3}
	commit := oracle.Event{Op: "commit", Slot: &a, IndexSHA256: &was.Digest, Boot: 3}
	if found := oracle.WrongHistory([]oracle.Event{attempt, commit}, sets); len(found) > 0 {
		t.Errorf("found %v in a history that is right", found)
	}
	bad, late := commit, commit
	bad.IndexSHA256 = &broken.Digest
	late.Boot = 4
	for want, events := range map[string][]oracle.Event{
		"without an attempt":  {attempt, late},
		"was committed":       {attempt, bad},
		"stands after boot 4": {late, attempt},
		"without a reason":    {{Op: "rollback", Slot: &a, Reason: &empty, Boot: 3}},
	} {
		if err := errors.Join(oracle.WrongHistory(events, sets)...); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("found %v, want %q", err, want)
		}
	}
}
