package bootctl

import (
	"slices"

	"nexus/libupdates/refusal"
)

// Rollback is an operator's return to the previous set. During a trial it ends the trial. Otherwise it returns to the
// set in the other slot. Either way the set that is left is quarantined unless something else was the cause (see
// charges), the current attempt becomes void, and the slot that is active again is unconfirmed until an attempt for it
// is committed. Refused as NoPrevious where damage was found in the slot to return to; without a trial also unless that
// slot holds another set that was good once and is not quarantined. A staged set stays staged, unless it is the set
// that is active again.
func (r Record) Rollback(reason refusal.Reason, detail string) (Record, error) {
	next := r.draft()
	if r.Pending != None {
		if damage := r.Slot(r.Active).Damage; damage != "" {
			return r, refusal.New(refusal.NoPrevious,
				"there is nothing to return to in slot %s: damage was found in the set there: %s", r.Active, damage)
		}
		next.endTrial(reason, detail)
		return next.Record, nil
	}
	if err := r.canReturn(); err != nil {
		return r, err
	}
	left := r.Active
	next.Active = left.Other()
	next.leave(left, reason, detail)
	return next.Record, nil
}

// canReturn refuses unless the other slot holds a set an operator may return to.
func (r Record) canReturn() error {
	back := r.Slot(r.Standby())
	cause := ""
	switch {
	case back.IsEmpty():
		cause = "the slot is empty"
	case !back.Good:
		cause = "the set there was never confirmed healthy"
	case back.Damage != "":
		cause = "damage was found in the set there: " + string(back.Damage)
	case r.belowFloor(back) != nil:
		cause = "the set there is older than the version floor " + r.Floor
	case back.Digest == r.Slot(r.Active).Digest:
		cause = "it holds the same set"
	case r.IsQuarantined(back.Digest):
		cause = "the set there is quarantined"
	default:
		return nil
	}
	return refusal.New(refusal.NoPrevious, "there is nothing to return to in slot %s: %s", r.Standby(), cause)
}

// endTrial gives the system back to the active slot.
func (r *draft) endTrial(reason refusal.Reason, detail string) {
	left := r.Pending
	r.Pending, r.TriesLeft = None, 0
	r.leave(left, reason, detail)
}

// leave is the common part of every rollback. It runs after the slots have been set, in the same record, so that the
// return and the quarantine become durable in one write.
func (r *draft) leave(left Slot, reason refusal.Reason, detail string) {
	c, code := r.Slot(left), cleanReason(reason)
	atFault := !charges[code].blameless && c.Damage == ""
	if atFault && !c.IsEmpty() && c.Digest != r.Slot(r.Active).Digest { // the set that is active again is not barred
		r.quarantine(c, code)
	}
	r.LastRollback = &Rollback{Reason: code, Detail: cleanDetail(detail), Digest: c.Digest, Version: c.Version}
	r.note(OpRollback, left, code)
	r.HealthOK, r.WatchLeft, r.AbruptEnds = false, 0, 0
	r.Boot++
	r.recheckStaged()
}

// Explain adds to the last rollback what the failed service wrote last, and what it was refused. What exceeds the
// bounds of a record is cut off; of the output these are the oldest lines.
func (r Record) Explain(output, refused []string) Record {
	if r.LastRollback == nil {
		return r
	}
	next := r.draft()
	next.LastRollback.Output = lastLines(output)
	next.LastRollback.Refused = firstLines(refused)
	return next.Record
}

// ClearQuarantine lets a quarantined set be staged again. Refused as NotQuarantined.
func (r Record) ClearQuarantine(d Digest) (Record, error) {
	i := slices.IndexFunc(r.Quarantine, func(q Quarantined) bool { return q.Digest == d })
	if i < 0 {
		return r, refusal.New(refusal.NotQuarantined, "set %s is not quarantined", d)
	}
	next, cleared := r.draft(), r.Quarantine[i]
	next.Quarantine = slices.Delete(next.Quarantine, i, i+1)
	next.append(Event{Op: OpClear, Version: cleared.Version, Digest: d, Reason: cleared.Reason, Boot: r.Boot})
	return next.Record, nil
}
