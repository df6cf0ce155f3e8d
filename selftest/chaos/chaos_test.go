package chaos_test

import (
	"flag"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
)

// These flags follow -args.
var (
	whole  = flag.Bool("whole", false, "all flows, all states, second cuts: hours")
	only   = flag.String("flows", "", "only flows whose name contains this `text`")
	bound  = flag.Int("bound", 0, "disk states looked at after one cut; 0 for what the run needs")
	seed   = flag.Uint64("seed", 1, "chooses what is tried where not all is: disk states, faults, messages")
	replay = flag.String("replay", "", "one `course`, as a failure prints it")

	messages = flag.Int("messages", 2, "without -whole, about so many messages of each flow of worlds, at least 1")
)

// TestDevices runs every flow on every kind of device: updated's engine on a disk that fails.
func TestDevices(t *testing.T) {
	if *replay != "" {
		t.Skip("one course is replayed")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // many short runs with little memory each
	states, second := bounds()
	a := newArena(t, states, second, *seed)
	if !*whole {
		a.every = 8
	}
	table := newTable(t)
	for _, f := range chosen(flows(), *whole) {
		for _, k := range kinds() {
			if k == keeping && !keepsState(f) {
				continue
			}
			tally := &tally{}
			began := time.Now()
			a.run(t, f, k, tally)
			tally.took = time.Since(began)
			table.row(f.name, string(k), tally)
		}
	}
	table.end()
}

// bounds returns how many disk states are tried after the first cut and after the second one.
func bounds() (states, second int) {
	states = 6
	if *whole {
		states, second = 64, 8
	}
	if *bound > 0 {
		states = *bound
	}
	return states, second
}

// chosen returns the flows that the flags select. Without -whole, those with two operators are sampled, because they
// differ little.
func chosen(list []flow, whole bool) []flow {
	var some []flow
	for i, f := range list {
		sampled := whole || *only != "" || !strings.HasPrefix(f.name, twoNames) || i%7 == 0
		if sampled && strings.Contains(f.name, *only) {
			some = append(some, f)
		}
	}
	return some
}

// run tests one flow on all processors.
func (a *arena) run(t *testing.T, f flow, k kind, tally *tally) {
	var benches []*bench
	for range 2 * runtime.GOMAXPROCS(0) { // twice as many, because each sometimes waits for its daemons
		b := newBench(a.library)
		benches = append(benches, b)
	}
	queue := make(chan job)
	list := a.jobs(benches[0], f, k, tally)
	var workers sync.WaitGroup
	for _, b := range benches {
		workers.Go(func() {
			for do := range queue {
				do(b)
			}
		})
	}
	for _, do := range list {
		queue <- do
	}
	close(queue)
	workers.Wait()
}
