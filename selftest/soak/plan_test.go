package soak

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// A Flow is what the operator does in a cycle.
type Flow string

// The flows.
const (
	Update   Flow = "update"   // nx update
	Switch   Flow = "switch"   // nx stage, nx switch
	Discard  Flow = "discard"  // nx stage, nx discard
	Stage    Flow = "stage"    // nx stage; whatever is staged stays
	Rollback Flow = "rollback" // nx rollback
	Rivals   Flow = "rivals"   // nx update while another operator's nx update goes on
)

// A Target is what is killed.
type Target string

// The targets.
const (
	Nobody     Target = ""
	Daemon     Target = "daemon"     // one daemon
	Command    Target = "nx"         // nx, in the middle of its verb
	Service    Target = "service"    // a service of a bundle
	Init       Target = "initd"      // initd alone; whatever it has started has to go with it
	Everything Target = "everything" // all processes of the system, in any order
)

// restarts reports whether the system has to be started anew.
func (t Target) restarts() bool { return t == Init || t == Everything }

// What has to be seen before the kill.
const (
	Begun     = "begun"     // the verb has been started
	Progress  = "progress"  // nx has shown a line of progress, the Nth
	Console   = "console"   // the console has shown a line since the cycle began, the Nth
	Receiving = "receiving" // a set is being received
	Filled    = "filled"    // another set is staged
	Committed = "committed" // the link to the confirmed slot leads elsewhere
	Ended     = "ended"     // the verb has ended
)

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
	Moment kit.Moment
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

// plan makes the cycle of that number. Each is independent of those before, so one that failed can be repeated alone.
func plan(seed uint64, number int) Cycle {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	c := Cycle{
		Number: number,
		Flow:   kit.Draw(r, []int{40, 20, 8, 8, 12, 12}, Update, Switch, Discard, Stage, Rollback, Rivals),
		Fate:   kit.Draw(r, []int{50, 25, 7, 18}, oracle.Good, oracle.Refused, oracle.Unfit, oracle.Broken),
		Pick:   r.IntN(1 << 16), Rival: r.IntN(1 << 16), Victim: r.IntN(1 << 16), Order: r.Uint64(),
		Clear:  r.IntN(4) > 0,
		Target: kit.Draw(r, []int{25, 40, 14, 10, 4, 7}, Nobody, Daemon, Command, Service, Init, Everything),
		Moment: kit.Moment{
			Event: kit.Draw(r, []int{10, 20, 25, 15, 10, 10, 10},
				Begun, Progress, Console, Receiving, Filled, Committed, Ended),
			N:     1 + r.IntN(6),
			Delay: time.Duration(r.Int64N(int64(maxDelay))),
		},
	}
	c.Again, c.Pause = r.IntN(4) == 0, r.IntN(4)
	c.Stop = r.IntN(4) == 0
	if c.Target.restarts() && number%stretch < calm {
		c.Target = Daemon
	}
	return c
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
	text := fmt.Sprintf("%s %s at %s", how, c.Target, c.Moment)
	if c.Again && (c.Target == Daemon || c.Target.restarts()) {
		text += ", twice"
	}
	return text
}

// TestPlanIsOfTheSeed wants one seed to give one plan, and another another.
func TestPlanIsOfTheSeed(t *testing.T) {
	for number := range 50 {
		if first, again := plan(1, number), plan(1, number); first != again {
			t.Fatalf("cycle %d differs from itself", number)
		}
	}
	if plan(1, 70) == plan(2, 70) || plan(1, 70) == plan(1, 71) {
		t.Error("another seed, or another number, gives the same plan")
	}
}

// TestPlanReachesEverything wants a thousand cycles to have every flow, fate, target and trigger, and each stretch to
// begin calmly.
func TestPlanReachesEverything(t *testing.T) {
	seen := map[string]bool{}
	for number := range 1000 {
		c := plan(1, number)
		for _, kind := range []any{c.Flow, c.Fate, c.Target, c.Moment.Event + " event"} {
			seen[fmt.Sprintf("%T %v", kind, kind)] = true
		}
		if c.Moment.Delay < 0 || c.Moment.Delay >= maxDelay {
			t.Errorf("cycle %d waits %s", number, c.Moment.Delay)
		}
		if c.Target.restarts() && number%stretch < calm {
			t.Errorf("cycle %d kills initd", number)
		}
	}
	if want := 6 + 4 + 6 + 7; len(seen) != want {
		t.Errorf("%d of %d kinds are there: %v", len(seen), want, seen)
	}
}

// TestShortSoakIsNotHarmless wants the short soak's plan to kill, to stop, and to bring sets of every fate.
func TestShortSoakIsNotHarmless(t *testing.T) {
	targets, fates, stops := map[Target]int{}, map[oracle.Fate]int{}, 0
	for number := range shortCycles {
		c := plan(shortSeed, shortFirst+number)
		targets[c.Target]++
		fates[c.Fate]++
		if c.Target == Daemon && c.Stop {
			stops++
		}
	}
	if stops == 0 {
		t.Error("no daemon is stopped")
	}
	if targets[Daemon] == 0 || targets[Command] == 0 || targets[Service] == 0 ||
		targets[Init]+targets[Everything] == 0 || len(fates) != 4 {
		t.Errorf("targets %v, fates %v", targets, fates)
	}
}
