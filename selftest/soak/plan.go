package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"nexus/selftest/oracle"
)

// A Flow is what the operator does in a cycle.
type Flow uint8

// The flows.
const (
	Update   Flow = iota // nx update
	Switch               // nx stage, nx switch
	Discard              // nx stage, nx discard
	Stage                // nx stage; whatever is staged stays
	Rollback             // nx rollback
	Rivals               // nx update while another operator's nx update goes on
)

func (f Flow) String() string {
	return [...]string{"update", "switch", "discard", "stage", "rollback", "rivals"}[f]
}

// A Target is what is killed.
type Target uint8

// The targets.
const (
	Nobody     Target = iota
	Daemon            // one daemon
	Command           // nx, in the middle of its verb
	Service           // a service of a bundle
	Init              // initd alone; whatever it has started has to go with it
	Everything        // all processes of the system, in any order
)

func (t Target) String() string {
	return [...]string{"nobody", "daemon", "nx", "service", "initd", "everything"}[t]
}

// restarts tells whether the system has to be started anew.
func (t Target) restarts() bool { return t == Init || t == Everything }

// A Trigger is what has to be seen before the kill. Not the clock chooses the moment, but the system's own progress.
type Trigger uint8

// The triggers.
const (
	Begun     Trigger = iota // the verb has been started
	Progress                 // nx has shown a line of progress, the Nth
	Console                  // the console has shown a line since the cycle began, the Nth
	Receiving                // a set is being received
	Filled                   // a slot leads elsewhere
	Committed                // the link to the confirmed slot leads elsewhere
	Ended                    // the verb has ended
)

func (t Trigger) String() string {
	return [...]string{"begun", "progress", "console", "receiving", "filled", "committed", "ended"}[t]
}

// A Moment is a trigger and what comes on top.
type Moment struct {
	Trigger Trigger
	N       int           // which one it is, from 1
	Delay   time.Duration // how much later; the part of the fault that only the machine knows the effect of
}

// maxDelay is longer than most steps of an update take.
const maxDelay = 25 * time.Millisecond

// A Cycle is one plan: everything the seed decides about it.
type Cycle struct {
	Number int
	Flow   Flow
	Fate   oracle.Fate // of the set
	Pick   int         // which of the sets of that fate
	Rival  int         // which good set the other operator brings
	Clear  bool        // let a quarantined set be staged again, first
	Target Target
	Victim int // which of the daemons, or of the services
	Moment Moment
	Order  uint64 // in what order everything is killed
	Again  bool   // strike twice: a second daemon with the first, or the system once more while it starts
	Pause  int    // after how many lines of the console it is struck while it starts
	Stop   bool   // a daemon is stopped rather than killed; it is for the system to find out
}

// In each stretch the first cycles leave initd alone, so that what it might leak has the time to show.
const (
	stretch = 100
	calm    = 60
)

// plan makes the cycle of that number. Each is independent of those before, so one that failed can be looked at alone.
func plan(seed uint64, number int) Cycle {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	c := Cycle{
		Number: number,
		Flow:   weighted[Flow](r, 40, 20, 8, 8, 12, 12),
		Fate:   weighted[oracle.Fate](r, 50, 25, 7, 18),
		Pick:   r.IntN(1 << 16), Rival: r.IntN(1 << 16), Victim: r.IntN(1 << 16), Order: r.Uint64(),
		Clear:  r.IntN(4) > 0,
		Target: weighted[Target](r, 25, 40, 14, 10, 4, 7),
		Moment: Moment{
			Trigger: weighted[Trigger](r, 10, 20, 25, 15, 10, 10, 10),
			N:       1 + r.IntN(6),
			Delay:   time.Duration(r.Int64N(int64(maxDelay))),
		},
	}
	c.Again, c.Pause = r.IntN(4) == 0, r.IntN(4)
	c.Stop = r.IntN(4) == 0
	if c.Target.restarts() && number%stretch < calm {
		c.Target = Daemon
	}
	return c
}

// weighted draws an index by its weight.
func weighted[T ~uint8](r *rand.Rand, weights ...int) T {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	at := r.IntN(sum)
	for i, w := range weights {
		if at < w {
			return T(i)
		}
		at -= w
	}
	panic("unreachable: the weights sum up to more than was drawn")
}

// fault says what is killed and when, for the step log.
func (c Cycle) fault() string {
	if c.Target == Nobody {
		return "no fault"
	}
	how := "kill"
	if c.Stop && c.Target == Daemon {
		how = "stop"
	}
	text := fmt.Sprintf("%s %s at %s %d + %s", how, c.Target, c.Moment.Trigger, c.Moment.N,
		c.Moment.Delay.Round(time.Microsecond))
	if c.Again && (c.Target == Daemon || c.Target.restarts()) {
		text += ", twice"
	}
	return text
}
