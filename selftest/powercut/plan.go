package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// An act is what the operator does in a cycle.
type act uint8

// The acts.
const (
	nothing  act = iota // the power is cut during the start or right after it
	updates             // nx update with a good set
	fails               // nx update with the broken set
	stages              // nx stage with a good set
	switches            // nx switch if a set is staged, else the same as stages
	returns             // nx rollback
)

func (a act) String() string {
	return [...]string{"nothing", "update", "broken update", "stage", "switch", "rollback"}[a]
}

// A trigger is the event after which the power is cut. Events, not the clock, decide the moment.
type trigger uint8

// The triggers.
const (
	atStart    trigger = iota // the nth line of init or a daemon since the machine started
	atProgress                // the nth progress line of nx
	atConsole                 // the nth console line since nx was started
	atEnd                     // nx has ended
)

func (t trigger) String() string {
	return [...]string{"start line", "progress line", "console line", "end"}[t]
}

// maxDelay bounds the delay after a trigger. It is longer than most steps take on an emulated machine.
const maxDelay = 400 * time.Millisecond

// A cycle is one plan, with everything that the seed decides.
type cycle struct {
	number  int
	blank   bool // it starts with a blank disk
	act     act
	trigger trigger
	n       int           // the number of the line, from 1
	delay   time.Duration // after that line; its exact effect depends on the machine
	loses   bool          // some of the writes that were not flushed are lost
	seed    uint64        // for the choice of these writes
}

// planned returns the plan of a cycle. It depends only on the seed and the number.
func planned(seed uint64, number int) cycle {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	c := cycle{
		number: number, blank: number == 0 || r.IntN(12) == 0,
		act: act(weighted(r, 30, 34, 12, 8, 8, 8)), delay: time.Duration(r.Int64N(int64(maxDelay))),
		loses: r.IntN(3) > 0, seed: r.Uint64(),
	}
	switch c.act {
	case nothing:
		c.trigger, c.n = atStart, 1+r.IntN(6)
	case stages, returns:
		c.trigger, c.n = trigger(1+weighted(r, 60, 20, 20)), 1+r.IntN(4)
	default:
		c.trigger, c.n = trigger(1+weighted(r, 25, 60, 15)), 1+r.IntN(7)
	}
	return c
}

// weighted draws an index with these weights.
func weighted(r *rand.Rand, weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	at := r.IntN(sum)
	for i, w := range weights {
		if at < w {
			return i
		}
		at -= w
	}
	panic("unreachable: the weights sum up to more than was drawn")
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
