package bootctl

import "nexus/libupdates/refusal"

// Admit reports whether Stage would accept the set. It is called before a payload byte is written. Refusals:
// TrialInProgress, Quarantined, VersionFloor, AlreadyActive, BadIndex for the zero digest. The active set is accepted
// again if its slot is damaged, because that repairs it. A set under watch counts as one that has held, as it does once
// another set is switched to.
func (r Record) Admit(c Content) error {
	r = r.Unwatched()
	active := r.Slot(r.Active)
	switch {
	case r.Pending != None:
		return refusal.New(refusal.TrialInProgress, "slot %s is on trial", r.Pending)
	case c.IsEmpty():
		return refusal.New(refusal.BadIndex, "the set has no digest")
	case c.Digest == active.Digest && active.Damage == "":
		return refusal.New(refusal.AlreadyActive, "%s already runs in slot %s", active.Version, r.Active)
	}
	return r.barred(c)
}

// AdmitFactory reports whether a device with empty slots may start with the set. Refused as Quarantined or
// VersionFloor.
func (r Record) AdmitFactory(c Content) error { return r.barred(c) }

// barred refuses a set that must not run: Quarantined, VersionFloor.
func (r Record) barred(c Content) error {
	if r.IsQuarantined(c.Digest) {
		return refusal.New(refusal.Quarantined, "set %s is quarantined", c.Digest)
	}
	return r.belowFloor(c)
}

// Factory starts with the set that slot a now holds, if both slots were empty before: they never held a set, or lost
// it. Refused as AdmitFactory says.
func (r Record) Factory(c Content) (Record, error) {
	if err := r.AdmitFactory(c); err != nil {
		return r, err
	}
	next := r.draft()
	next.Active, next.Pending, next.Staged = A, None, Content{}
	next.TriesLeft, next.WatchLeft, next.HealthOK = 0, 0, false
	next.Slots = [2]Content{c.asFound(), {}}
	if r.Begun() {
		next.Boot++
	}
	return next.Record, nil
}

// Stage records that the complete, verified, durable set c waits for its switch. It supersedes a set that was staged
// before, and changes neither slot. The serial names this stage in Switch and Discard. Refused as Admit says.
func (r Record) Stage(c Content) (Record, uint64, error) {
	if err := r.Admit(c); err != nil {
		return r, 0, err
	}
	next := r.draft()
	next.Staged = c.asFound()
	next.StageSerial++
	next.noteSet(OpStage, r.Standby(), next.Staged, "")
	return next.Record, next.StageSerial, nil
}

// Discard drops what is staged. Refused as Stale unless the stage numbered serial is still the staged one.
func (r Record) Discard(serial uint64) (Record, error) {
	if err := r.current(serial); err != nil {
		return r, err
	}
	next := r.draft()
	next.noteSet(OpDiscard, r.Standby(), r.Staged, "")
	next.Staged = Content{}
	return next.Record, nil
}

// Switch puts the staged set into the standby slot, in place of the set there, on trial with that many tries, at least
// 1. That ends a watch, because then only the active set is left to return to. The current attempt becomes void: only a
// new BootAttempt can lead to a commit. Refused as Stale unless the stage numbered serial is still the staged one (so
// also during a trial, when nothing is staged), as Quarantined if the set may not come back, as VersionFloor if it is
// older than the floor.
func (r Record) Switch(serial uint64, tries uint8) (Record, error) {
	if err := r.current(serial); err != nil {
		return r, err
	}
	if err := r.Admit(r.Staged); err != nil {
		return r, err
	}
	next := r.Unwatched().draft()
	next.Pending, next.Staged = r.Standby(), Content{}
	next.put(next.Pending, r.Staged)
	next.note(OpSwitch, next.Pending, "")
	next.TriesLeft = max(tries, 1)
	next.HealthOK = false
	next.Boot++
	return next.Record, nil
}

// current refuses a serial that does not name what is staged now.
func (r Record) current(serial uint64) error {
	if r.Staged.IsEmpty() || serial != r.StageSerial {
		return refusal.New(refusal.Stale, "stage %d is no longer the staged one", serial)
	}
	return nil
}

// recheckStaged drops a staged set that must no longer be switched to.
func (r *draft) recheckStaged() {
	if !r.Staged.IsEmpty() && r.Admit(r.Staged) != nil {
		r.Staged = Content{}
	}
}
