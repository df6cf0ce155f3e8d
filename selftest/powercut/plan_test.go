package powercut

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"nexus/selftest/kit"
)

// An act is what the operator does in a cycle.
type act string

// The acts.
const (
	nothing  act = "nothing"       // the power is cut during the start or right after it
	updates  act = "update"        // nx update with a good set
	fails    act = "broken update" // nx update with the broken set
	stages   act = "stage"         // nx stage with a good set
	switches act = "switch"        // nx switch if a set is staged, else the same as stages
	returns  act = "rollback"      // nx rollback
)

// The events after which the power is cut.
const (
	atStart    = "start line"    // the nth line of init or a daemon since the machine started
	atProgress = "progress line" // the nth progress line of nx
	atConsole  = "console line"  // the nth console line since nx was started
	atEnd      = "end"           // nx has ended
)

// maxDelay bounds the delay after a trigger. It is longer than most steps take on an emulated machine.
const maxDelay = 400 * time.Millisecond

// A cycle is one plan, with everything that the seed decides.
type cycle struct {
	number int
	blank  bool // it starts with a blank disk
	act    act
	moment kit.Moment
	loses  bool   // some of the writes that were not flushed are lost
	seed   uint64 // for the choice of these writes
}

// planned returns the plan of a cycle. It depends only on the seed and the number.
func planned(seed uint64, number int) cycle {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	c := cycle{
		number: number, blank: number == 0 || r.IntN(12) == 0,
		act:    kit.Draw(r, []int{30, 34, 12, 8, 8, 8}, nothing, updates, fails, stages, switches, returns),
		moment: kit.Moment{Delay: time.Duration(r.Int64N(int64(maxDelay)))}, loses: r.IntN(3) > 0, seed: r.Uint64(),
	}
	weights, lines := []int{25, 60, 15}, 7
	switch c.act {
	case nothing:
		c.moment.Event, c.moment.N = atStart, 1+r.IntN(6)
		return c
	case stages, returns:
		weights, lines = []int{60, 20, 20}, 4
	}
	c.moment.Event, c.moment.N = kit.Draw(r, weights, atProgress, atConsole, atEnd), 1+r.IntN(lines)
	return c
}

func (c cycle) String() string {
	text := fmt.Sprintf("cycle %d: %s, cut at %s", c.number, c.act, c.moment)
	if c.blank {
		text += ", on a new disk"
	}
	if c.loses {
		text += ", with a loss"
	}
	return text
}

func TestPlanIsTheSeedsAlone(t *testing.T) {
	acts, events := map[act]int{}, map[string]int{}
	for n := range 500 {
		c := planned(1, n)
		if c != planned(1, n) {
			t.Fatalf("cycle %d is planned in two ways", n)
		}
		acts[c.act]++
		events[c.moment.Event]++
	}
	if len(acts) != 6 || len(events) != 4 {
		t.Errorf("acts %v, events %v", acts, events)
	}
}
