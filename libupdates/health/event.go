package health

import (
	"time"

	"nexus/libupdates/refusal"
)

// An Event is something a Trial is told: one of the types below.
type Event interface{ event() }

type (
	// Recorded says which attempt the boot record has due or under way, and how long the first attempt of this boot is
	// held back.
	Recorded struct {
		Boot  uint64
		Pause time.Duration
	}
	// Began says that an attempt was counted and its slot published, or why it was not.
	Began struct{ Attempt }
	// Seen says how the daemons are, what the voters have said, what operators have revoked, and what of the machine
	// hinders services.
	Seen struct {
		Core      []Daemon
		Votes     []Vote
		Revoked   Revocations
		Hindrance string // empty: nothing
	}
	// Reported is the word of the daemon that runs the services.
	Reported struct {
		Life     uint64 // counts the connections to that daemon
		Boot     uint64 // the attempt whose services these are
		Services []Watched
		Quorum   int
	}
	// Unreported says that the connection over which services are reported has ended.
	Unreported struct{}
	// Ticked says that the observer ran for that long since the last tick. What it slept through is not in it.
	Ticked struct{ Ran time.Duration }
	// Confirmed says that the good verdict is in the record, and whether the set is under watch from then on.
	Confirmed struct{ Watched bool }
	// Rejected says that the bad verdict is in the record, and whether the slot stays because there is nothing to go
	// back to.
	Rejected struct{ Stays bool }
	// WatchEnded says that the end of the watch is in the record, or that it is none of this attempt's.
	WatchEnded struct{}
	// TooLate says that the verdict was refused because the record has moved on.
	TooLate struct{}
	// Undone says that the last action failed and is to be tried again.
	Undone struct{}
)

func (Recorded) event()   {}
func (Began) event()      {}
func (Seen) event()       {}
func (Reported) event()   {}
func (Unreported) event() {}
func (Ticked) event()     {}
func (Confirmed) event()  {}
func (Rejected) event()   {}
func (WatchEnded) event() {}
func (TooLate) event()    {}
func (Undone) event()     {}

// An Attempt is one boot attempt.
type Attempt struct {
	Boot   uint64
	Policy Policy         // the device's and the set's
	Trial  bool           // whether its slot is on trial
	Abrupt bool           // boots ended without an order: that its set has held is to be said even without a watch
	Reason refusal.Reason // why it could not be published; empty: it was
	Detail string
}

// Do is what an Action does.
type Do uint8

// What is to be done. Each of Begin, Commit, Fail and EndWatch is answered by an event before anything else is asked
// for.
const (
	Nothing  Do = iota
	Hold        // say that the first attempt waits
	Begin       // count an attempt and have it published: Began
	Commit      // deliver the good verdict: Confirmed, TooLate
	Fail        // deliver the bad verdict: Rejected, TooLate
	EndWatch    // say that the set has held: WatchEnded
)

// An Action is what follows from an event.
type Action struct {
	Do      Do
	Boot    uint64         // of Commit, Fail and EndWatch
	Watch   bool           // of Commit: whether the set is to be watched from then on
	Pause   time.Duration  // of Hold
	Reason  refusal.Reason // of Fail
	Detail  string         // of Fail
	Service string         // of Fail: which one failed, if one did
}
