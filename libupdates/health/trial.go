package health

import (
	"cmp"
	"time"

	"nexus/libupdates/refusal"
)

// A Trial is all that the first process knows of the boot attempt it is at: from the word that one is due, over its
// verdict, to the end of the watch. It is a pure value: events go in, at most one action comes out. It reads no clock:
// time comes in with events, so a deadline needs nobody's answer.
type Trial struct {
	reporter string        // the daemon that reports on services
	hang     time.Duration // after how long without an answer the device gives a daemon up; 0: never

	state   state
	waits   Do // the action that was given and is not answered yet
	at      Attempt
	verdict Verdict // what is being delivered
	well    bool    // the services were healthy: from then on the end of one decides nothing before the commit
	stays   bool    // the attempt was rejected and there is nothing to go back to: only better news count
	settled uint64
	begins  bool   // an attempt is to be begun, and was not yet
	revoked uint64 // how often something had been revoked when the attempt was to be begun
	time    stretch

	record Recorded
	known  bool          // the record has spoken
	pause  time.Duration // what the first attempt waits for
	seen   Seen
	looked bool // seen says something
	report Reported
	heard  bool // the connection that report came over still lives
}

// state is where an attempt is.
type state uint8

const (
	fresh      state = iota // no attempt was begun in this boot
	paused                  // the same, and the first one is held back
	due                     // an attempt is to begin
	gathering               // the verdict is open
	delivering              // the verdict is not in the record yet
	watching                // committed, and under watch
	holding                 // committed; once the set has held, that is to be said
	ending                  // that the set has held is not in the record yet
	idle                    // nothing but the record can change anything
)

// NewTrial is the beginning of a boot. reporter is the daemon that reports on services; takesUp says that the process
// before this one has counted an attempt for it.
func NewTrial(reporter string, device Policy, takesUp bool) Trial {
	t := Trial{reporter: reporter, hang: device.Hang}
	if takesUp {
		t.state, t.begins = due, true // what was revoked since it was counted falls into it
	}
	return t
}

// After is the trial after an event, and what is to be done now.
func (t Trial) After(e Event) (Trial, Action) {
	t = t.note(e)
	if t.waits != Nothing {
		return t, Action{}
	}
	t, do := t.next()
	if do.Do == Begin && !t.begins { // what is revoked while it is begun falls into the attempt
		t.begins, t.revoked = true, t.seen.Revoked.Count
	}
	if do.Do != Hold {
		t.waits = do.Do
	}
	return t, do
}

// RevokedBefore is how often something had been revoked when the current attempt was to be begun.
func (t Trial) RevokedBefore() uint64 { return t.revoked }

// Settled is the newest attempt whose verdict no longer depends on the end of a service: those of its services that end
// may be started again.
func (t Trial) Settled() uint64 { return t.settled }

// Timed reports whether anything depends on how time goes by.
func (t Trial) Timed() bool {
	return t.state == paused || t.Gathers() || t.state == watching || t.state == holding
}

// Gathers reports whether the verdict on the attempt is open, and has a deadline.
func (t Trial) Gathers() bool { return t.state == gathering && !t.stays }

// Listens reports whether anything depends on how services are.
func (t Trial) Listens() bool { return t.state == gathering || t.state == watching }

// Decided reports whether the attempt is committed for good: what its services meet decides nothing any more, but may
// say that its slot is damaged.
func (t Trial) Decided() bool { return t.state == holding || t.state == idle }

// note takes an event in.
func (t Trial) note(e Event) Trial {
	switch e := e.(type) {
	case Recorded:
		t.record, t.known = e, true
	case Seen:
		t.seen, t.looked = e, true
	case Reported:
		t = t.hear(e)
	case Unreported:
		t.heard, t.time = false, t.time.flush()
	case Ticked:
		t.time = t.tick(e.Ran)
	default:
		t = t.answered(e)
	}
	return t
}

// answered notes what became of the action that was given.
func (t Trial) answered(e Event) Trial {
	t.waits = Nothing
	switch e := e.(type) {
	case Began:
		t.state, t.at, t.time = gathering, e.Attempt, stretch{}
		t.well, t.stays, t.begins = false, false, false
		if e.Reason != "" {
			t.state, t.verdict = delivering, Verdict{Outcome: Failed, Reason: e.Reason, Detail: e.Detail}
		}
	case Confirmed:
		t.state, t.time, t.settled = idle, stretch{}, t.at.Boot
		if e.Watched {
			t.state = watching
		} else if t.at.Abrupt {
			t.state, t.at.Abrupt = holding, false
		}
	case Rejected:
		t.state = due
		if e.Stays {
			t.state, t.stays, t.well, t.settled = gathering, true, false, t.at.Boot
		}
	case WatchEnded, TooLate:
		t.state = idle
	}
	return t
}

// next decides.
func (t Trial) next() (Trial, Action) {
	switch {
	case t.state == fresh || t.state == paused:
		return t.first()
	case t.state == due || t.record.Boot > t.at.Boot:
		return t, Action{Do: Begin}
	case t.state == gathering:
		t = t.judge()
	case t.state == watching:
		t = t.watch()
	case t.state == holding && t.time.booked >= cmp.Or(t.at.Policy.Watch, DefaultPolicy().Watch):
		t.state = ending
	}
	switch {
	case t.state == ending:
		return t, Action{Do: EndWatch, Boot: t.at.Boot}
	case t.state == delivering && t.verdict.Outcome == OK:
		return t, Action{Do: Commit, Boot: t.at.Boot, Watch: t.at.Policy.Watch > 0}
	case t.state == delivering:
		v := t.verdict
		return t, Action{Do: Fail, Boot: t.at.Boot, Reason: v.Reason, Detail: v.Detail, Service: v.Service}
	}
	return t, Action{}
}

// first begins the first attempt of a boot: after a pause where the record asks for one, and at once when it no longer
// does, for then an operator has changed what is to run.
func (t Trial) first() (Trial, Action) {
	switch {
	case !t.known:
		return t, Action{}
	case t.record.Pause == 0 || t.state == paused && t.time.booked >= t.pause:
		t.state = due
		return t, Action{Do: Begin}
	case t.state == fresh:
		t.state, t.pause = paused, t.record.Pause
		return t, Action{Do: Hold, Pause: t.pause}
	}
	return t, Action{}
}

// Revocations are what operators have revoked since the system started.
type Revocations struct {
	Count uint64
	Last  string // who lost what, last
}

// excused is a verdict as it is after something was revoked during the attempt, or on a machine that hinders services:
// whatever failed may have needed just that, so the set is not blamed.
func (t Trial) excused(v Verdict) Verdict {
	switch {
	case v.Outcome != Failed || v.Reason == refusal.Hindered || v.Reason == refusal.CoreNotReady:
	case t.seen.Revoked.Count != t.revoked:
		v.Reason, v.Detail = refusal.Revoked, sentence(t.seen.Revoked.Last, "revoked by an operator", v.Detail)
	case t.seen.Hindrance != "":
		v.Reason, v.Detail = refusal.Hindered, sentence("this machine", t.seen.Hindrance, v.Detail)
	}
	return v
}
