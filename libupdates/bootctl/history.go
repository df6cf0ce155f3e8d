package bootctl

import (
	"slices"

	"nexus/libupdates/refusal"
)

// Op names an accepted step.
type Op string

// The steps.
const (
	OpStage    Op = "stage"
	OpDiscard  Op = "discard"
	OpSwitch   Op = "switch"
	OpAttempt  Op = "attempt"
	OpCommit   Op = "commit"
	OpRollback Op = "rollback"
	OpClear    Op = "clear"
	OpHeld     Op = "held"    // the watch over a confirmed set ended
	OpFloor    Op = "floor"   // the version floor rose, or was lowered, to the event's version
	OpDamaged  Op = "damaged" // the slot no longer holds what was signed
	OpMended   Op = "mended"  // it does again
	OpBoot     Op = "boot"    // a boot began; the reason is its cause
)

// Event is one accepted step. Refusals change nothing, so they are not events.
type Event struct {
	Op      Op
	Slot    Slot   // the slot it was about; None for OpClear, OpBoot, and damage of a staged set
	Version string // of the set it was about; of an OpFloor, the new floor
	Digest  Digest // the set it was about; zero for an empty slot
	// of a rollback, a cleared quarantine or damage, or the cause of a boot; else empty
	Reason refusal.Reason
	Detail string // one line for people, at most 128 bytes; of a rollback, else empty
	Boot   uint64 // the attempt during which it happened
	UnixMs int64  // when, by the device's clock: see Record.At; 0: not known
}

// note appends a step about slot s as it is now.
func (r *draft) note(op Op, s Slot, reason refusal.Reason) { r.noteSet(op, s, r.Slot(s), reason) }

// noteSet appends a step about a set that slot s does not hold.
func (r *draft) noteSet(op Op, s Slot, c Content, reason refusal.Reason) {
	detail := ""
	if op == OpRollback {
		detail = clip(r.LastRollback.Detail, maxEventDetail)
	}
	r.append(Event{
		Op: op, Slot: s, Version: c.Version, Digest: c.Digest, Reason: reason, Detail: detail, Boot: r.Boot,
	})
}

// At returns the record with the time of the steps that follow, in milliseconds since 1970-01-01 UTC. Only the history
// shows it; no step reads a clock.
func (r Record) At(unixMs int64) Record {
	r.now = unixMs
	return r
}

// append adds an event. The oldest one is dropped to make room, but never the beginning of the current attempt: see
// Begun.
func (r *draft) append(e Event) {
	for len(r.History) >= MaxHistory {
		oldest := 0
		if r.begins(r.History[0]) {
			oldest = 1
		}
		r.History = slices.Delete(r.History, oldest, oldest+1)
	}
	e.UnixMs = r.now
	r.History = append(r.History, e)
}

// Begun reports whether the attempt numbered Boot was begun. A switch, a failed try or a rollback draws a number that
// no attempt has begun, and a verdict about such a number must not count: nothing of that slot has run yet.
func (r Record) Begun() bool { return slices.ContainsFunc(r.History, r.begins) }

func (r Record) begins(e Event) bool { return e.Op == OpAttempt && e.Boot == r.Boot }
