package chaos_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"nexus/selftest/kit"
)

// TestWorlds kills every daemon, the operator and PID 1 at every message of every flow, and loses and delays the
// operators' messages.
func TestWorlds(t *testing.T) {
	archives := worldSets(t)
	if strings.Contains(*replay, "edge=") {
		f, m, err := parseMishap(*replay)
		kit.Must(t, err)
		runWorld(t, archives, f, &m)
		return
	}
	if *replay != "" {
		t.Skip("a course of a device is replayed")
	}
	var sum worldTally
	fmt.Printf(worldRow, "flow", "messages", "runs", "missed", "broken", "time")
	for i, f := range worldFlows() {
		if strings.Contains(f.name, *only) {
			tally := disturb(t, archives, f, i == 0)
			tally.print(f.name)
			sum.add(tally)
		}
	}
	sum.print("all")
}

// atOnce is how many worlds run at a time; they mostly wait.
const atOnce = 8

// disturb runs a flow once for every message and each of its fates. The messages of the first boot are the same in all
// flows, so only one flow includes them.
func disturb(t *testing.T, archives map[string][]byte, f worldFlow, boot bool) worldTally {
	began := time.Now()
	var edges []edge
	t.Run(f.name, func(t *testing.T) { edges, _ = runWorld(t, archives, f, nil) })
	if !boot {
		edges = edges[min(len(edges), countBoot(edges)):]
	}
	tally := worldTally{messages: len(edges)}
	every := 1
	if !*whole {
		every = len(edges)/max(*messages, 1) + 1
	}
	queue := make(chan mishap)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for m := range queue {
				name := fmt.Sprintf("flow=%s,%s", f.name, m)
				var fired bool
				passed := t.Run(strings.ReplaceAll(name, "/", "|"),
					func(t *testing.T) { _, fired = runWorld(t, archives, f, &m) })
				if !passed {
					t.Logf("replay: -args -replay '%s'", name)
				}
				mu.Lock()
				tally.note(passed, fired)
				mu.Unlock()
			}
		})
	}
	for i, e := range edges {
		if i%every == int(*seed)%every {
			for _, fate := range e.fates() {
				queue <- mishap{e, fate}
			}
		}
	}
	close(queue)
	workers.Wait()
	tally.took = time.Since(began)
	return tally
}

// A worldTally counts the runs of one flow.
type worldTally struct {
	// missed: the message did not occur, because daemons may send messages in a different order
	messages, runs, missed, broken int
	took                           time.Duration
}

func (t *worldTally) note(passed, fired bool) {
	t.runs++
	if !fired {
		t.missed++
	}
	if !passed {
		t.broken++
	}
}

func (t *worldTally) add(o worldTally) {
	t.messages += o.messages
	t.runs += o.runs
	t.missed += o.missed
	t.broken += o.broken
	t.took += o.took
}

const worldRow = "%-38s %8v %6v %6v %6v %8v\n"

func (t *worldTally) print(name string) {
	fmt.Printf(worldRow, name, t.messages, t.runs, t.missed, t.broken, t.took.Round(time.Millisecond))
}

// runWorld runs a flow with at most one mishap. It returns the messages, and whether the mishap took place.
func runWorld(t *testing.T, archives map[string][]byte, f worldFlow, plan *mishap) (edges []edge, fired bool) {
	s := newSystem(t, archives, f, plan)
	for _, hold := range []func(*system) error{f.want, neverConfirmedTheBad, theNextUpdateWorks,
		theUnchangedGoesOn, leavesNothing, startsAgain} {
		if err := hold(s); err != nil {
			t.Errorf("%v\n%s", err, s.w.Console())
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.edges, s.fired
}
