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
	nothing  act = iota // the power is cut while the system starts, or right after
	updates             // nx update with a good set
	fails               // nx update with the broken one
	stages              // nx stage with a good set
	switches            // nx switch, where something is staged; else as stages
	returns             // nx rollback
)

func (a act) String() string {
	return [...]string{"nothing", "update", "broken update", "stage", "switch", "rollback"}[a]
}

// A trigger is what has to be seen before the power is cut. Not the clock chooses the moment, but the system's own
// progress.
type trigger uint8

// The triggers.
const (
	starting trigger = iota // the nth line of init's or a daemon's since the machine started
	progress                // the nth line of progress of nx
	console                 // the nth line of the console since nx was started
	ended                   // nx has ended
)

func (t trigger) String() string {
	return [...]string{"start line", "progress line", "console line", "end"}[t]
}

// maxDelay is what may come on top of a trigger: longer than most steps of an emulated machine take.
const maxDelay = 400 * time.Millisecond

// A cycle is one plan: everything that the seed decides about it.
type cycle struct {
	number  int
	blank   bool // it begins with a new disk
	act     act
	trigger trigger
	n       int           // which line it is, from 1
	delay   time.Duration // how much later; the part of the cut that only the machine knows the effect of
	loses   bool          // of what the disk had not been asked to keep, some is lost
	seed    uint64        // what
}

// planned makes the cycle of that number. It depends on the seed and the number alone.
func planned(seed uint64, number int) cycle {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	c := cycle{
		number: number, blank: number == 0 || r.IntN(12) == 0,
		act: act(weighted(r, 30, 34, 12, 8, 8, 8)), delay: time.Duration(r.Int64N(int64(maxDelay))),
		loses: r.IntN(3) > 0, seed: r.Uint64(),
	}
	switch c.act {
	case nothing:
		c.trigger, c.n = starting, 1+r.IntN(6)
	case stages, returns:
		c.trigger, c.n = trigger(1+weighted(r, 60, 20, 20)), 1+r.IntN(4)
	default:
		c.trigger, c.n = trigger(1+weighted(r, 25, 60, 15)), 1+r.IntN(7)
	}
	return c
}

// weighted draws an index by its weight.
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
