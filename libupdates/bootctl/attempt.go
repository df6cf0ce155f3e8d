package bootctl

import "nexus/libupdates/refusal"

// Attempt is one boot attempt.
type Attempt struct {
	Boot       uint64 // its number; only a verdict about this number is accepted
	Slot       Slot   // the slot that is to run
	Trial      bool   // whether that slot is on trial
	TriesLeft  uint8  // tries left after this one
	AbruptEnds uint8  // boots in a row that ended unordered: see Record
	Watched    bool   // whether that slot's set is under watch
	// whether the pending slot was out of tries, or the watched one out of attempts, and was rolled back first
	RolledBack bool
}

// Verdict says what follows from a failed attempt.
type Verdict uint8

// The verdicts.
const (
	Retry      Verdict = iota + 1 // tries are left: call BootAttempt
	RolledBack                    // the previous slot is active again: call BootAttempt for it
	Stays                         // there is nothing to go back to; the slot stays, unconfirmed
)

// String returns the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Retry:
		return "retry"
	case RolledBack:
		return "rolled-back"
	case Stays:
		return "stays"
	default:
		return "none"
	}
}

// BootAttempt counts one attempt. It must be durable before anything of the slot runs. A pending slot without tries is
// rolled back first, and so is a watched one that begins too often; the attempt is then for the previous slot.
func (r Record) BootAttempt() (Record, Attempt) {
	next, exhausted := r.draft(), true
	switch {
	case r.Pending != None && r.TriesLeft == 0:
		next.endTrial(refusal.TriesExhausted, "every try was begun and none ended in a verdict")
	case r.WatchLeft == 1 && r.canReturn() == nil:
		next.giveUp(refusal.CrashLoop, "the system began anew too often while the set was under watch")
	default:
		exhausted = false
	}
	next.Boot++
	next.HealthOK, next.EndOrdered = false, false
	if next.Pending != None {
		next.TriesLeft--
	}
	if next.WatchLeft > 0 {
		next.WatchLeft--
	}
	next.note(OpAttempt, next.Running(), "")
	a, _ := next.Attempt(next.Boot)
	a.RolledBack = exhausted
	return next.Record, a
}

// Attempt returns the current attempt if it has this number, for a caller that continues what another one began.
func (r Record) Attempt(boot uint64) (Attempt, bool) {
	if r.attempted(boot) != nil {
		return Attempt{}, false
	}
	return Attempt{
		Boot: r.Boot, Slot: r.Running(), Trial: r.Pending != None, TriesLeft: r.TriesLeft, Watched: r.WatchLeft > 0,
		AbruptEnds: r.AbruptEnds,
	}, true
}

// CommitHealth confirms the attempt for good: a pending slot becomes the active one, and the set it holds is good from
// now on, without a watch; the version floor rises to what it asks for. A second commit of the same attempt changes
// nothing. Refused as WrongBoot unless boot is the attempt that was begun last, and where damage has been found in its
// slot.
func (r Record) CommitHealth(boot uint64) (Record, error) {
	next, err := r.confirm(boot)
	if err != nil || r.HealthOK {
		return r, err
	}
	next.raiseFloor()
	return next.Record, nil
}

// confirm is a commit without the floor.
func (r Record) confirm(boot uint64) (*draft, error) {
	if err := r.attempted(boot); err != nil {
		return nil, err
	}
	if r.HealthOK {
		return &draft{r}, nil
	}
	if damage := r.Slot(r.Running()).Damage; damage != "" {
		return nil, refusal.New(refusal.WrongBoot, "slot %s of boot attempt %d is damaged: %s", r.Running(), boot, damage)
	}
	next := r.draft()
	next.Active, next.Pending, next.TriesLeft = r.Running(), None, 0
	next.HealthOK, next.WatchLeft = true, 0
	if r.Pending != None {
		next.AbruptEnds = 0 // they were of another set
	}
	if c := next.Slot(next.Active); !c.IsEmpty() {
		c.Good = true
		next.put(next.Active, c)
	}
	next.note(OpCommit, next.Active, "")
	return next, nil
}

// Fail records that the attempt did not prove healthy. During a trial with tries left the verdict is Retry and the
// attempt is over, unless the reason is final (see charges): trying again would not help. Otherwise a trial ends in a
// rollback, and so does a watch if there still is a set to return to. Without either the slot stays, unconfirmed.
// Refused as WrongBoot unless boot is the attempt that was begun last.
func (r Record) Fail(boot uint64, reason refusal.Reason, detail string) (Record, Verdict, error) {
	if err := r.attempted(boot); err != nil {
		return r, 0, err
	}
	if r.Pending != None && r.TriesLeft > 0 && !charges[reason].final {
		r.Boot++ // it can no longer be committed or given back
		return r, Retry, nil
	}
	next := r.draft()
	if r.Pending != None {
		next.endTrial(reason, detail)
		return next.Record, RolledBack, nil
	}
	if r.WatchLeft > 0 && r.canReturn() == nil {
		next.giveUp(reason, detail)
		return next.Record, RolledBack, nil
	}
	next.HealthOK, next.WatchLeft = false, 0
	return next.Record, Stays, nil
}

// MayRun refuses a slot whose set must not run: one in quarantine as Quarantined, one below the floor as VersionFloor.
// It is checked at each attempt.
func (r Record) MayRun(s Slot) error {
	if c := r.Slot(s); !c.IsEmpty() {
		return r.barred(c)
	}
	return nil
}

// attempted refuses a number that is not the begun, current attempt.
func (r Record) attempted(boot uint64) error {
	if boot != r.Boot || !r.Begun() {
		return refusal.New(refusal.WrongBoot, "boot attempt %d is not the current one", boot)
	}
	return nil
}
