package damage

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"nexus/selftest/oracle"
)

// madeUp are sets that no archive holds.
func madeUp() (all oracle.Sets) {
	for _, version := range []string{oldSet, otherSet, badSet, activeSet, trialSet} {
		all = append(all, &oracle.Set{Name: version, Version: version, Digest: "digest of " + version})
	}
	return all
}

// well is a look at a system that runs as before, and says that one byte of the standby slot's signature was changed.
func well() Seen {
	slot := func(version string) oracle.Slot {
		digest := "digest of " + version
		return oracle.Slot{SystemVersion: &version, IndexSHA256: &digest, Good: true}
	}
	s := Seen{
		Cell: Cell{Time: atRest, Path: "system/sets/" + otherSet + "/system.sig.ed25519", Way: Way{Name: "byte"}},
		When: started, Sets: madeUp(), Settled: true,
		Slots: map[string]string{"a": "", "b": "its signature is damaged"},
		Lines: []string{"updated: ready (statefs)", "bundlemgrd: slot a active", "init: health ok (slot a)"},
	}
	version, damage := floor, "invalid-signature"
	s.State = oracle.State{ActiveSlot: "a", HealthOK: true, VersionFloor: &version}
	s.State.Quarantine = []oracle.Quarantined{{IndexSHA256: "digest of " + badSet}}
	s.State.Slots.A, s.State.Slots.B = slot(activeSet), slot(otherSet)
	s.State.Slots.B.Damage = &damage
	return s
}

// runs makes a set the active one.
func (s *Seen) runs(version string) {
	digest := "digest of " + version
	s.State.Slots.A.IndexSHA256 = &digest
}

// over makes the start one that ended with these lines.
func (s *Seen) over(path string, exit int, lines ...string) {
	s.Cell.Path, s.Settled, s.Ended, s.Exit, s.Lines = path, false, true, exit, lines
}

// closed makes the look a check of a folder that nobody but root can read, with this answer.
func (s *Seen) closed(answer string) {
	s.When, s.Cell.Path, s.Cell.Way.Name = verified, "system", "mode"
	s.Slots = map[string]string{"a": unknown, "b": unknown}
	s.Err = errors.New(answer)
}

// TestJudge shows made-up systems to the judge: each is well but for one thing, and exactly that has to be found.
func TestJudge(t *testing.T) {
	const left = "updated: audit op=damaged slot=a version=1.3.0 result=failed reason=invalid-signature"
	for _, c := range []struct {
		name    string
		make    func(*Seen)
		outcome Outcome
		want    string // in the violation; empty: there is none
	}{
		{"as before", func(*Seen) {}, asBefore, ""},
		{"the other slot", func(s *Seen) {
			s.runs(otherSet)
			s.Slots["a"], s.Told = "gone", []string{left}
		}, other, ""},
		{"ended, named", func(s *Seen) { s.over("trust", 1, "nx: cannot run: trust is a file") }, ended, ""},
		{"ended, a stranger's keys", func(s *Seen) {
			s.over("trust/apps", 1, "nx: trust/apps is another user's")
			s.Cell.Way.Name = "owner"
		}, ended, ""},
		{"checked", func(s *Seen) {
			s.When, s.Checks = verified, []Check{{Slot: "a", Intact: true}, {Slot: "b"}}
		}, asBefore, ""},
		{"not to be checked", func(s *Seen) {
			s.When, s.Settled, s.Cell.Path, s.Err = verified, false, "control.sock", errors.New("no way in")
		}, asBefore, ""},
		{"a closed folder", func(s *Seen) { s.closed("cannot read slot a: cannot read link a: permission denied") },
			asBefore, ""},
		{"nothing to run", func(s *Seen) {
			s.Settled, s.Answers, s.Slots["a"], s.Told = false, true, "gone", []string{left}
		}, waits, ""},

		{"nothing to run, with a good set", func(s *Seen) {
			s.Settled, s.Answers, s.Told, s.Lines = false, true, []string{left}, []string{left}
		}, none, "never up after start"},
		{"nothing to run, unsaid", func(s *Seen) { s.Settled, s.Answers, s.Slots["a"] = false, true, "gone" }, none,
			"in silence"},
		{"silence", func(s *Seen) { s.Settled, s.Lines = false, nil }, none, "in silence"},
		{"words and no end", func(s *Seen) { s.Settled, s.Lines = false, []string{left} }, none,
			"never up after start"},
		{"crash loop", func(s *Seen) {
			s.Settled, s.Lines = false, slices.Repeat([]string{`initd: crash process=updated exit="exit code 1"`}, 5)
		}, none, "crash loop of updated"},
		{"the other slot, unsaid", func(s *Seen) { s.runs(otherSet); s.Slots["a"] = "gone" }, none,
			"unsaid: the other slot"},
		{"a good set left", func(s *Seen) { s.runs(otherSet); s.Told = []string{left} }, none, "a good set was left"},
		{"an empty slot", func(s *Seen) { s.State.Slots.A = oracle.Slot{} }, none, "healthy and empty"},
		{"below the floor", func(s *Seen) { s.runs(oldSet) }, none, "below the version floor"},
		{"from quarantine", func(s *Seen) { s.runs(badSet) }, none, "in quarantine"},
		{"another program", func(s *Seen) { s.Wrong = []error{errors.New("a stranger's")} }, none, "wrong program"},
		{"a good set in quarantine", func(s *Seen) {
			s.State.Quarantine = append(s.State.Quarantine, oracle.Quarantined{IndexSHA256: "digest of " + activeSet})
		}, none, "a good set is in quarantine"},
		{"quarantine forgotten", func(s *Seen) { s.State.Quarantine = nil }, none, "quarantine is forgotten"},
		{"floor forgotten", func(s *Seen) { s.State.VersionFloor = nil }, none, "version floor is forgotten"},
		{"a copy of the record", func(s *Seen) { s.Cell.Path = "state/boot/record.0.value" }, none,
			"copy of the record"},
		{"called intact", func(s *Seen) { s.When, s.Checks = verified, []Check{{Slot: "b", Intact: true}} }, none,
			"called intact"},
		{"called damaged", func(s *Seen) { s.When, s.Checks = verified, []Check{{Slot: "a"}} }, none,
			"is intact, and it says"},
		{"called good", func(s *Seen) {
			s.When, s.Checks, s.State.Slots.B.Damage = verified, []Check{{Slot: "b"}},
				nil
		}, none, "called good"},
		{"no answer", func(s *Seen) { s.When = verified }, none, "no answer"},
		{"a closed folder, unsaid", func(s *Seen) { s.closed("cannot verify slots") }, none, "no answer"},
		{"a closed folder, another cell", func(s *Seen) {
			s.closed("cannot read slot a: cannot read link a: permission denied")
			s.Slots["b"] = ""
		}, none, "no answer"},
		{"back to nothing", func(s *Seen) { s.When = returned }, none, "slot b was damaged"},
		{"no way back", func(s *Seen) {
			s.runs(trialSet)
			s.When, s.Slots, s.State.ActiveSlot = switched, map[string]string{"a": "gone"}, "a"
		}, none, "the way back was damaged"},
		{"ended by a check", func(s *Seen) { s.over("trust", 1, "nx: trust"); s.When = verified }, none,
			"ended by verify"},
		{"ended well", func(s *Seen) { s.over("trust", 0, "nx: trust") }, none, "status 0"},
		{"ended in silence", func(s *Seen) { s.over("trust", 1, "updated: ready (statefs)") }, none,
			"ended in silence"},
		{"ended for nothing", func(s *Seen) { s.over("state/apps", 1, "nx: state/apps") }, none, "not needed"},
		{"ended for nothing, keys", func(s *Seen) { s.over("trust/apps", 1, "nx: trust/apps") }, none, "not needed"},
		{"ended, unnamed", func(s *Seen) { s.over("trust", 1, "nx: cannot run") }, none, "did not name it"},
		{"ended, talkative", func(s *Seen) { s.over("trust", 1, "nx: trust", "nx: trust") }, none,
			"ended with 2 lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := well()
			c.make(&s)
			outcome, wrong := judge(s)
			if outcome != c.outcome {
				t.Errorf("outcome %q, want %q", outcome, c.outcome)
			}
			if c.want == "" && len(wrong) > 0 || c.want != "" &&
				(len(wrong) != 1 || !strings.Contains(wrong[0], c.want)) {
				t.Errorf("found %q, want %q", wrong, c.want)
			}
		})
	}
}
