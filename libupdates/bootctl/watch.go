package bootctl

import "nexus/libupdates/refusal"

// A set that was just confirmed may still fail later: it leaks, or meets a condition that takes time. So it is under
// watch for a while: until the watch ends, a failure leads to a rollback, as in a trial, and so does one boot attempt
// too many. The previous set stays in its slot as long. A switch takes that slot, and so ends the watch.

// CommitAndWatch is CommitHealth for a system that watches: a set that was on trial is under watch from then on, with
// that many boot attempts until one more counts as a crash loop, at least 1; one that was under watch before stays so.
// There is no watch if there is nothing to go back to.
func (r Record) CommitAndWatch(boot uint64, attempts uint8) (Record, error) {
	next, err := r.confirm(boot)
	if err != nil || r.HealthOK {
		return r, err
	}
	if r.Pending != None {
		next.WatchLeft = max(attempts, 1)
	} else {
		next.WatchLeft = r.WatchLeft
	}
	if next.Slot(next.Active).IsEmpty() || next.canReturn() != nil {
		next.WatchLeft = 0
	}
	if next.WatchLeft == 0 {
		next.raiseFloor()
	}
	return next.Record, nil
}

// EndWatch records that the set which the attempt confirmed has held: its watch ends, and earlier abrupt ends are
// forgotten. Refused as WrongBoot unless boot is the attempt that was begun last.
func (r Record) EndWatch(boot uint64) (Record, error) {
	if err := r.attempted(boot); err != nil {
		return r, err
	}
	next := r.Unwatched()
	next.AbruptEnds = 0
	return next, nil
}

// Unwatched returns the record after the end of a watch: the active set is confirmed for good.
func (r Record) Unwatched() Record {
	if r.WatchLeft == 0 {
		return r
	}
	next := r.draft()
	next.WatchLeft = 0
	next.note(OpHeld, next.Active, "")
	next.raiseFloor()
	return next.Record
}

// giveUp returns from a set under watch to the previous one.
func (r *draft) giveUp(reason refusal.Reason, detail string) {
	left := r.Active
	r.Active = left.Other()
	r.leave(left, reason, detail)
}
