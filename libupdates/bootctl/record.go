package bootctl

import (
	"slices"

	"nexus/libupdates/refusal"
)

// Bounds of a record.
const (
	DefaultTries  = 2  // boot attempts a switched-to slot gets
	MaxQuarantine = 64 // quarantined sets kept; the oldest is dropped to make room
	MaxHistory    = 64 // events kept; the oldest is dropped to make room
)

// Record is the whole A/B state. It is a value: a method that changes the state returns a new record and leaves its
// receiver as it was; one that refuses returns the receiver. New and Decode make records; the zero Record is not valid.
//
// Invariants: Active is A or B. Pending is None or Active.Other(), which then is not empty. Nothing is staged during a
// trial. TriesLeft is 0 without a trial, WatchLeft is 0 during one. Of an empty slot only damage may be known. No
// digest that was rolled back becomes staged or pending before ClearQuarantine let it.
type Record struct {
	Active    Slot  // the slot that last proved healthy, or the one the device started with
	Pending   Slot  // the slot on trial, or None
	TriesLeft uint8 // attempts the pending slot may still begin
	// while the active set is under watch: attempts it may begin until one more is a crash loop; 0: it is not
	WatchLeft uint8
	HealthOK  bool // whether the current attempt was confirmed; false from its beginning until then
	// number of the current attempt; a switch, a failed try and a rollback also take a number, which invalidates older
	// ones
	Boot        uint64
	StageSerial uint64 // number of the last completed stage
	Floor       string // no set of an older version is accepted, SemVer; empty: no floor
	BootCause   Cause  // why the current boot began
	EndOrdered  bool   // whether somebody ordered the end of the current boot, and no attempt was begun since
	// boots in a row that ended without an order while the same set ran, and not once held; see Pause
	AbruptEnds uint8

	Slots        [2]Content    // what slots a and b hold; see Slot
	Staged       Content       // a complete, verified set that waits for its switch, in neither slot; empty: none
	Quarantine   []Quarantined // oldest first
	LastRollback *Rollback     // nil if there was none
	History      []Event       // oldest first

	now    int64  // see At; not stored
	stored []byte // the message this record was read from: fields we do not know survive in it
}

// Quarantined is a set that was rolled back and may be neither staged nor switched to.
type Quarantined struct {
	Digest  Digest
	Version string
	Reason  refusal.Reason
}

// Rollback says why the system last went back.
type Rollback struct {
	Reason  refusal.Reason
	Detail  string // one line for people, at most 256 bytes
	Digest  Digest // the set that was left
	Version string // its version
	// The last lines of the service that failed and what was refused to it, lines separated by line ends; see Explain.
	Output, Refused string
}

// New returns the record of a device that has never been updated: slot a is active, both slots are empty.
func New() Record { return Record{Active: A} }

// Resume returns the record of a device that keeps no record across reboots, but knows which slot was confirmed last,
// if one was, and what the slots hold. That slot is active and its set is good, because it was confirmed; if the set is
// missing, the slot is damaged. Nobody has switched to what the other slot holds.
func Resume(confirmed Slot, a, b Content) Record {
	found, _ := New().Reconcile(a, b, Content{})
	r := draft{found}
	if confirmed != None {
		r.Active = confirmed
	}
	c := r.Slot(r.Active)
	switch {
	case !c.IsEmpty():
		c.Good = true
	case confirmed != None:
		c.Damage = refusal.MissingEntry
	}
	r.put(r.Active, c)
	return r.Record
}

// Slot returns what slot s holds; None holds nothing.
func (r Record) Slot(s Slot) Content {
	switch s {
	case A, B:
		return r.Slots[s-A]
	case Staged:
		return r.Staged
	default:
		return Content{}
	}
}

// Standby returns the slot that is not active: the only one that a switch may change.
func (r Record) Standby() Slot { return r.Active.Other() }

// Running returns the slot the next attempt is for: the pending one while there is a trial, else the active one.
func (r Record) Running() Slot {
	if r.Pending != None {
		return r.Pending
	}
	return r.Active
}

// Needs reports whether the device could be left without a set if that of the slot could not run: it runs, or the trial
// under way would go back to it.
func (r Record) Needs(s Slot) bool { return s == r.Running() || s == r.Active }

// IsQuarantined reports whether the set may be neither staged nor switched to.
func (r Record) IsQuarantined(d Digest) bool {
	return slices.ContainsFunc(r.Quarantine, func(q Quarantined) bool { return q.Digest == d })
}

// A draft is a record that a step is making. What changes a record is a method of it; Record has none.
type draft struct{ Record }

// draft returns one that shares no mutable memory with r.
func (r Record) draft() *draft {
	r.Quarantine = slices.Clone(r.Quarantine)
	r.History = slices.Clone(r.History)
	if r.LastRollback != nil {
		last := *r.LastRollback
		r.LastRollback = &last
	}
	return &draft{r}
}

func (r *draft) put(s Slot, c Content) { r.Slots[s-A] = c }

// quarantine adds the set with the newest reason; the oldest entry is dropped to make room.
func (r *draft) quarantine(c Content, reason refusal.Reason) {
	r.Quarantine = slices.DeleteFunc(r.Quarantine, func(q Quarantined) bool { return q.Digest == c.Digest })
	if len(r.Quarantine) >= MaxQuarantine {
		r.Quarantine = slices.Delete(r.Quarantine, 0, len(r.Quarantine)-MaxQuarantine+1)
	}
	r.Quarantine = append(r.Quarantine, Quarantined{Digest: c.Digest, Version: c.Version, Reason: reason})
}
