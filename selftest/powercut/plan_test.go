package powercut

import (
	"fmt"
	"math/rand/v2"
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

// A trigger is the event after which the power is cut.
type trigger string

// The triggers.
const (
	atStart    trigger = "start line"    // the nth line of init or a daemon since the machine started
	atProgress trigger = "progress line" // the nth progress line of nx
	atConsole  trigger = "console line"  // the nth console line since nx was started
	atEnd      trigger = "end"           // nx has ended
)

// maxDelay bounds the delay after a trigger. It is longer than most steps take on an emulated machine.
const maxDelay = 400 * time.Millisecond

// A cycle is one plan, with everything that the seed decides.
type cycle struct {
	number  int
	blank   bool // it starts with a blank disk
	act     act
	trigger trigger
	n       int           // the number of the line, from 1
	delay   time.Duration // after that line
	loses   bool          // some of the writes that were not flushed are lost
	seed    uint64        // for the choice of these writes
}

// planned returns the plan of a cycle. It depends only on the seed and the number.
func planned(seed uint64, number int) cycle {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	c := cycle{
		number: number, blank: number == 0 || r.IntN(12) == 0,
		act:   kit.Draw(r, []int{30, 34, 12, 8, 8, 8}, nothing, updates, fails, stages, switches, returns),
		delay: time.Duration(r.Int64N(int64(maxDelay))), loses: r.IntN(3) > 0, seed: r.Uint64(),
	}
	weights, lines := []int{25, 60, 15}, 7
	switch c.act {
	case nothing:
		c.trigger, c.n = atStart, 1+r.IntN(6)
		return c
	case stages, returns:
		weights, lines = []int{60, 20, 20}, 4
	}
	c.trigger, c.n = kit.Draw(r, weights, atProgress, atConsole, atEnd), 1+r.IntN(lines)
	return c
}

func (c cycle) String() string {
	text := fmt.Sprintf("cycle %d: %s, cut at %s %d + %s", c.number, c.act, c.trigger, c.n,
		c.delay.Round(time.Millisecond))
	if c.blank {
		text += ", on a new disk"
	}
	if c.loses {
		text += ", with a loss"
	}
	return text
}
