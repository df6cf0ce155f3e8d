package bootctl_test

import (
	"slices"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// An invariant is a sentence, and the test of it.
type invariant[S any] struct {
	says  string
	holds func(S) bool
}

// ofStates are the invariants of every state.
func ofStates(m machine) []invariant[device] {
	return []invariant[device]{
		{"one slot is active", everyRecord(oneSlotIsActive)},
		{"the pending slot is the standby slot with a set in it, and nothing is staged then",
			everyRecord(standbyHasOneUse)},
		{"no quarantined set is staged or on trial", everyRecord(nothingQuarantinedWaits)},
		{"what is staged may be switched to", everyRecord(stagedMayBeSwitchedTo)},
		{"tries are counted only during a trial", everyRecord(triesNeedATrial)},
		{"nothing is confirmed during a trial", everyRecord(noTrialIsConfirmed)},
		{"a trial has a try left or under way, unless a boot has just begun, whose first attempt ends it",
			trialsHaveATry},
		{"a trial without a verdict ends, one attempt after its tries, at the slot that was active, boots that nobody ordered included", everyRecord(trialsEnd)},
		{"a set is under watch only while no other is on trial", everyRecord(watchIsAlone)},
		{"a set under watch that never gets a verdict is left, for the set before it", everyRecord(watchesEnd)},
		{"what a record calls good and not damaged was found healthy in that slot, or is what the device was delivered with", goodWasProven},
		{"the slot that a start without a record begins with was found healthy, or is what the device was delivered with", linkIsProven},
		{"after a cut at this moment the next attempt is for the set that was proven last, or for a trial and counted",
			bootChoiceIsSafe(m)},
		{"no set that is older than the floor is staged, on trial or active", nothingIsBelowTheFloor},
		{"what was reconciled once needs no reconciling again", loadIsStable(m)},
	}
}

// ofSteps are the invariants of every step.
func ofSteps() []invariant[*step] {
	return []invariant[*step]{
		{"a refusal has a reason and changes nothing", refusalChangesNothing},
		{"an attempt runs the set that its record names, and no set on trial that is quarantined",
			attemptRunsWhatItCounts},
		{"no set that is older than the floor or in quarantine is attempted", nothingBarredIsAttempted},
		{"no slot is committed that is damaged, or has lost its set", nothingDamagedIsCommitted},
		{"no set is quarantined for the damage of its slot", damageIsNotTheSets},
		{"an attempt of a trial costs a try, and a trial gets none back but the one whose end was ordered",
			triesOnlyGoDown},
		{"a start gives back the attempt whose end was ordered, to a trial or to a watch, and no other",
			startGivesBackWhatWasOrdered},
		{"a commit counts only for the attempt that was begun last and is under way", commitIsOfTheAttempt},
		{"the active slot changes only by the commit of a trial, or to a set that was good: by the operator, or from a set under watch", activeMovesForAReason},
		{"a trial that ends without a commit leaves its set in quarantine, unless something else was the cause",
			leftSetIsQuarantined},
		{"a set under watch that is left is in quarantine, unless something else was the cause",
			leftWatchIsQuarantined},
		{"only a commit begins a watch", watchNeedsACommit},
		{"a set leaves the quarantine only because an operator cleared it", quarantineIsKept},
		{"numbers of attempts and stages never go back", numbersGrow},
		{"a start forgets nothing that was durable: no quarantine, no try that was counted, no slot",
			startKeepsTheRecord},
		{"no attempt is under way when a boot begins: nothing of a slot runs before one is counted",
			bootsBeginWithNothing},
		{"an order to end is about the attempt under way: the next one takes it back", ordersEnd},
		{"the floor rises to what the active set asks for, once it is confirmed for good, and sinks only because an operator lowered it", floorMovesForAReason},
		{"no step leads to a slot in which damage was found", nothingGoesToDamage},
		{"what was staged is on trial only after a switch", trialNeedsASwitch},
		{"no slot changes on disk but by the switch of a staged set into the standby slot, the first set, or a fault",
			slotsChangeBySwitch},
		{"a watch ends badly only by a return, or by damage: whatever is staged, refused or begun keeps it, and the set before",
			watchIsKept},
	}
}

// everyRecord asks of the record the owner goes by, and of each that a start may read instead.
func everyRecord(holds func(bootctl.Record) bool) func(device) bool {
	return func(d device) bool {
		return holds(d.kept) && (d.spare.state == torn || holds(d.spare.record))
	}
}

func oneSlotIsActive(r bootctl.Record) bool { return r.Active == bootctl.A || r.Active == bootctl.B }

func standbyHasOneUse(r bootctl.Record) bool {
	return r.Pending == bootctl.None ||
		r.Pending == r.Standby() && !r.Slot(r.Pending).IsEmpty() && r.Staged.IsEmpty()
}

func nothingQuarantinedWaits(r bootctl.Record) bool {
	for _, s := range []bootctl.Slot{r.Pending, bootctl.Staged} {
		if r.IsQuarantined(r.Slot(s).Digest) {
			return false
		}
	}
	return true
}

func stagedMayBeSwitchedTo(r bootctl.Record) bool {
	return r.Staged.IsEmpty() || r.Admit(r.Staged) == nil
}

func triesNeedATrial(r bootctl.Record) bool { return r.TriesLeft == 0 || r.Pending != bootctl.None }

func noTrialIsConfirmed(r bootctl.Record) bool { return r.Pending == bootctl.None || !r.HealthOK }

func trialsHaveATry(d device) bool {
	r := d.kept
	return d.held == 0 || r.Pending == bootctl.None || r.TriesLeft > 0 || r.Begun()
}

func trialsEnd(r bootctl.Record) bool {
	if r.Pending == bootctl.None {
		return true
	}
	active := r.Active
	for range int(r.TriesLeft) + int(givesBack(r)) + 1 {
		r, _ = r.Restart(bootctl.Crash).BootAttempt()
	}
	return r.Pending == bootctl.None && r.Active == active
}

func watchIsAlone(r bootctl.Record) bool {
	return r.WatchLeft == 0 || r.Pending == bootctl.None && r.Slot(r.Active).Good
}

func watchesEnd(r bootctl.Record) bool {
	active, attempts := r.Active, r.WatchLeft
	if attempts == 0 {
		return true
	}
	for range attempts + givesBack(r) {
		r, _ = r.Restart(bootctl.Crash).BootAttempt()
	}
	return r.Active == active.Other() && r.WatchLeft == 0
}

func goodWasProven(d device) bool {
	for i, c := range d.kept.Slots {
		if c.Good && c.Damage == "" && number(c.Digest) != d.proven[i] {
			return false
		}
	}
	return true
}

func linkIsProven(d device) bool { return d.hurt || d.link == bootctl.None || d.isProven(d.link) }

// bootChoiceIsSafe asks what a start with a sound medium makes of the state. A start that finds no record is asked by
// linkIsProven.
func bootChoiceIsSafe(m machine) func(device) bool {
	return func(d device) bool {
		read := d.load(m, done, newBoot).kept
		next, a := read.BootAttempt()
		if a.Trial {
			return read.Pending == a.Slot && next.TriesLeft == read.TriesLeft-1
		}
		return d.hurt || (a.Slot == next.Active && d.isProven(a.Slot))
	}
}

func loadIsStable(m machine) func(device) bool {
	return func(d device) bool {
		for _, boot := range []bool{sameBoot, newBoot} {
			once := d.load(m, done, boot)
			twice := once.load(m, done, boot)
			if keyOf(once.kept) != keyOf(twice.kept) || once.kept.Boot != twice.kept.Boot {
				return false
			}
		}
		return true
	}
}

func refusalChangesNothing(s *step) bool {
	return s.err == nil || (refusal.Of(s.err) != refusal.IO && !s.changed)
}

func attemptRunsWhatItCounts(s *step) bool {
	if s.op != bootctl.OpAttempt || s.outcome != done || !s.after.up {
		return true
	}
	r := s.after.kept
	c := r.Slot(r.Running())
	return s.after.runs == number(c.Digest) && s.after.runs == s.after.on(r.Running()) &&
		(r.Pending == bootctl.None || !r.IsQuarantined(c.Digest))
}

func nothingBarredIsAttempted(s *step) bool {
	r := s.after.kept
	if s.op != bootctl.OpAttempt || s.outcome != done || !s.after.up {
		return true
	}
	c := r.Slot(r.Running())
	// the model's versions sort as texts
	return !r.IsQuarantined(c.Digest) && (r.Floor == "" || c.IsEmpty() || c.Version >= r.Floor)
}

func nothingDamagedIsCommitted(s *step) bool {
	r := s.before.kept
	if s.op != bootctl.OpCommit || s.err != nil || r.HealthOK {
		return true
	}
	slot := r.Running()
	held := s.before.on(slot)
	return r.Slot(slot).Damage == "" && held == number(r.Slot(slot).Digest) &&
		// a set may be lost before any record knew of it
		(held != 0 || s.before.proven[slot-bootctl.A] == 0 || s.before.hurt)
}

func damageIsNotTheSets(s *step) bool {
	before, after := s.before.kept, s.after.kept
	if s.op == "" {
		before, _, _ = s.before.copies() // a start goes by what it reads
		if s.forgets || broken(s) || s.after.down {
			return true
		}
	}
	for _, q := range after.Quarantine {
		if before.IsQuarantined(q.Digest) {
			continue
		}
		if s.op == "" || s.op == bootctl.OpDamaged || before.Slot(before.Running()).Damage != "" {
			return false
		}
	}
	return true
}

func triesOnlyGoDown(s *step) bool {
	before, after := s.before.kept, s.after.kept
	if s.op == "" {
		before, _, _ = s.before.copies() // a start goes by what it reads
	}
	if s.outcome != done || before.Pending == bootctl.None || after.Pending == bootctl.None || broken(s) {
		return true
	}
	if s.op == bootctl.OpAttempt {
		return after.TriesLeft == before.TriesLeft-1
	}
	return after.TriesLeft <= before.TriesLeft+givenBack(s)
}

// givesBack is what the next start gives back of a trial's tries, or a watch's attempts.
func givesBack(r bootctl.Record) uint8 {
	if r.EndOrdered && r.Begun() {
		return 1
	}
	return 0
}

// givenBack is what a step that is a start gave back.
func givenBack(s *step) uint8 {
	if !s.cut {
		return 0
	}
	newest, _, _ := s.before.copies()
	return givesBack(newest)
}

func startGivesBackWhatWasOrdered(s *step) bool {
	if !s.cut || s.forgets || broken(s) || s.after.down {
		return true
	}
	was, _, _ := s.before.copies()
	is := s.after.kept
	return (is.Pending == bootctl.None || is.TriesLeft == was.TriesLeft+givenBack(s)) &&
		(is.WatchLeft == 0 || is.WatchLeft == was.WatchLeft+givenBack(s))
}

func ordersEnd(s *step) bool {
	if s.outcome != done || s.op != bootctl.OpAttempt && !s.cut || s.after.down {
		return true
	}
	return !s.after.kept.EndOrdered
}

func commitIsOfTheAttempt(s *step) bool {
	if s.op != bootctl.OpCommit || s.err != nil {
		return true
	}
	r := s.before.kept
	return s.number == s.before.held && s.before.up && s.number == r.Boot && r.Begun() &&
		s.before.runs == number(r.Slot(r.Running()).Digest)
}

func activeMovesForAReason(s *step) bool {
	before, after := s.before.kept, s.after.kept
	if s.op == "" || before.Active == after.Active {
		return true
	}
	switch s.op {
	case bootctl.OpCommit:
		return after.Active == before.Pending && after.HealthOK
	case opFactory:
		return s.before.hurt && s.before.on(bootctl.A) == 0 && s.before.on(bootctl.B) == 0 // all that was there is lost
	case bootctl.OpRollback, bootctl.OpAttempt, bootctl.OpDamaged:
		return (s.op != bootctl.OpAttempt || before.WatchLeft == 1) &&
			before.Pending == bootctl.None && before.Slot(after.Active).Good && s.before.isProven(after.Active)
	default:
		return false
	}
}

func leftSetIsQuarantined(s *step) bool {
	before, after := s.before.kept, s.after.kept
	if s.op == "" || before.Pending == bootctl.None || after.Pending != bootctl.None || s.op == bootctl.OpCommit ||
		s.op == bootctl.OpDamaged {
		return true
	}
	left := before.Slot(before.Pending).Digest
	return after.LastRollback != nil && after.Active == before.Active &&
		(left == before.Slot(before.Active).Digest || after.IsQuarantined(left) != s.blameless())
}

func leftWatchIsQuarantined(s *step) bool {
	before, after := s.before.kept, s.after.kept
	if s.op == "" || before.WatchLeft == 0 || before.Active == after.Active || s.op == bootctl.OpDamaged {
		return true
	}
	return after.LastRollback != nil && after.IsQuarantined(before.Slot(before.Active).Digest) != s.blameless()
}

// blameless reports whether the step left a set for what was not its fault.
func (s *step) blameless() bool {
	others := []refusal.Reason{refusal.CoreNotReady, refusal.Hindered, refusal.Revoked}
	return slices.Contains(others, s.after.kept.LastRollback.Reason)
}

func watchNeedsACommit(s *step) bool {
	// what a start may give back is another rule
	return s.op == "" || s.op == bootctl.OpCommit || s.after.kept.WatchLeft <= s.before.kept.WatchLeft
}

func quarantineIsKept(s *step) bool {
	if s.op == "" || s.op == bootctl.OpClear {
		return true
	}
	return keyOf(s.before.kept).quarantined&^keyOf(s.after.kept).quarantined == 0
}

func numbersGrow(s *step) bool {
	before, after := s.before.kept, s.after.kept
	return s.op == "" || (before.Boot <= after.Boot && before.StageSerial <= after.StageSerial)
}

// broken reports whether the step is a start that could not read what was written last.
func broken(s *step) bool { return s.op == "" && s.after.hurt && !s.before.hurt }

func startKeepsTheRecord(s *step) bool {
	if s.op != "" || s.forgets || broken(s) || s.after.down {
		return true
	}
	newest, _, _ := s.before.copies()
	was, is := keyOf(newest), keyOf(s.after.kept)
	// in the start before, which could not record it
	lost := s.before.on(newest.Active) != number(newest.Slot(newest.Active).Digest)
	return (is.active == was.active || lost) && was.quarantined&^is.quarantined == 0 &&
		is.tries <= was.tries+givenBack(s) &&
		(is.pending == bootctl.None || is.pending == was.pending) &&
		(is.staged == 0 || is.staged == was.staged)
}

func nothingIsBelowTheFloor(d device) bool {
	return d.hurt || everyRecord(func(r bootctl.Record) bool {
		for _, s := range []bootctl.Slot{bootctl.Staged, r.Pending, r.Active} {
			// the model's versions sort as texts
			if c := r.Slot(s); r.Floor != "" && !c.IsEmpty() && c.Version < r.Floor {
				return false
			}
		}
		return true
	})(d)
}

func floorMovesForAReason(s *step) bool {
	before, after := s.before.kept, s.after.kept
	switch {
	case s.op == "" || before.Floor == after.Floor || s.outcome != done:
		return true
	case after.Floor < before.Floor:
		return s.op == bootctl.OpFloor
	default:
		return after.WatchLeft == 0 && after.Floor == after.Slot(after.Active).Floor && after.Slot(after.Active).Good
	}
}

func nothingGoesToDamage(s *step) bool {
	before, after := s.before.kept, s.after.kept
	if s.op == "" {
		return true
	}
	goes := func(from, to bootctl.Slot) bool {
		return to == bootctl.None || from == to || after.Slot(to).Damage == ""
	}
	return (goes(before.Active, after.Active) || s.op == bootctl.OpCommit) && goes(before.Pending, after.Pending)
}

func bootsBeginWithNothing(s *step) bool {
	return !s.cut || s.after.down || !s.after.kept.Begun() && !s.after.kept.HealthOK && s.after.runs == 0
}

func trialNeedsASwitch(s *step) bool {
	before, after := s.before.kept, s.after.kept
	if s.op == "" || after.Pending == bootctl.None || before.Pending == after.Pending {
		return true
	}
	return s.op == bootctl.OpSwitch && before.Staged.Digest == after.Slot(after.Pending).Digest &&
		s.number == before.StageSerial
}

func slotsChangeBySwitch(s *step) bool {
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		was, is := s.before.on(slot), s.after.on(slot)
		if was == is || s.op == opFactory || s.op == "" && s.after.hurt && !s.before.hurt {
			continue
		}
		switched := s.op == bootctl.OpSwitch && s.err == nil || s.op == "" || // a start carries it out
			slot == s.before.kept.Pending // and the next step
		if !switched || slot == s.before.kept.Active || is != s.before.on(bootctl.Staged) {
			return false
		}
	}
	return true
}

// watchIsKept holds a watch, and what it could return to, against the steps that must not cost it. What the slots lost
// before is another matter.
func watchIsKept(s *step) bool {
	before, after := s.before.kept, s.after.kept
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		if s.before.on(slot) != number(before.Slot(slot).Digest) {
			return true
		}
	}
	switch s.op {
	case bootctl.OpStage, bootctl.OpDiscard, bootctl.OpClear, opSettle, opEnd:
		return after.WatchLeft == before.WatchLeft && after.Slots == before.Slots
	case bootctl.OpSwitch:
		return s.outcome == done && s.err == nil || after.WatchLeft == before.WatchLeft && after.Slots == before.Slots
	default:
		return true
	}
}
