package soak

import (
	"fmt"
	"testing"

	"nexus/selftest/oracle"
)

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
		for _, kind := range []any{c.Flow, c.Fate, c.Target, c.Moment.Trigger} {
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
