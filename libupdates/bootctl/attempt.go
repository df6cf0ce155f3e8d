package bootctl

import "nexus/libupdates/refusal"

// Attempt is one boot attempt.
type Attempt struct {
	Boot       uint64 // its number; only a verdict about this number is accepted
	Slot       Slot   // the slot that is to run
	Trial      bool   // whether that slot is on trial
	TriesLeft  uint8  // tries left after this one
	RolledBack bool   // whether the pending slot had no try left and was rolled back first
}

// Verdict says what follows from a failed attempt.
type Verdict uint8

// The verdicts.
const (
	Retry      Verdict = iota + 1 // tries are left: call BootAttempt
	RolledBack                    // the previous slot is back: call BootAttempt for it
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

// BootAttempt counts one attempt. It must be durable before anything of the slot runs. A pending slot without a try left is rolled
// back first, so the attempt is then for the active slot.
func (r Record) BootAttempt() (Record, Attempt) {
	next, exhausted := r.clone(), r.Pending != None && r.TriesLeft == 0
	if exhausted {
		next.endTrial(refusal.TriesExhausted, "every try was begun and none ended in a verdict")
	}
	next.Boot++
	next.HealthOK = false
	if next.Pending != None {
		next.TriesLeft--
	}
	next.note(OpAttempt, next.Running(), "")
	return next, Attempt{
		Boot:       next.Boot,
		Slot:       next.Running(),
		Trial:      next.Pending != None,
		TriesLeft:  next.TriesLeft,
		RolledBack: exhausted,
	}
}

// CommitHealth confirms the attempt: a pending slot becomes the active one, and the set it holds is good from now on. A second
// commit of the same attempt changes nothing. Refused as WrongBoot unless boot is the attempt that was begun last.
func (r Record) CommitHealth(boot uint64) (Record, error) {
	if err := r.attempted(boot); err != nil {
		return r, err
	}
	if r.HealthOK {
		return r, nil
	}
	next := r.clone()
	next.Active, next.Pending, next.TriesLeft = r.Running(), None, 0
	next.HealthOK = true
	if c := next.Slot(next.Active); !c.IsEmpty() {
		c.Good = true
		next.put(next.Active, c)
	}
	next.note(OpCommit, next.Active, "")
	return next, nil
}

// Fail records that the attempt did not prove healthy. During a trial with tries left the verdict is Retry and the record stays as
// it is, unless the reason is HealthTimeout: waiting again would not help. Otherwise a trial ends in a rollback. Without a trial the
// slot stays, unconfirmed. Refused as WrongBoot unless boot is the attempt that was begun last.
func (r Record) Fail(boot uint64, reason refusal.Reason, detail string) (Record, Verdict, error) {
	if err := r.attempted(boot); err != nil {
		return r, 0, err
	}
	if r.Pending != None && r.TriesLeft > 0 && reason != refusal.HealthTimeout {
		return r, Retry, nil
	}
	next := r.clone()
	if r.Pending != None {
		next.endTrial(reason, detail)
		return next, RolledBack, nil
	}
	next.HealthOK = false
	return next, Stays, nil
}

// attempted refuses a number that is not the begun, current attempt.
func (r Record) attempted(boot uint64) error {
	if boot != r.Boot || !r.Begun() {
		return refusal.New(refusal.WrongBoot, "boot attempt %d is not the current one", boot)
	}
	return nil
}
