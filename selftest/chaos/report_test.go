package chaos_test

import (
	"fmt"
	"testing"
	"time"
)

// maxShown bounds the violations that are printed per flow.
const maxShown = 5

// A table prints a row for each flow as it completes, and the totals.
type table struct {
	t   *testing.T
	sum tally
}

func newTable(t *testing.T) *table {
	fmt.Printf("%-38s %-6s %5s %5s %6s %8s %7s %7s %6s %8s\n",
		"flow", "device", "ops", "cuts", "faults", "outcomes", "states", "runs", "broken", "time")
	return &table{t: t}
}

func (b *table) row(flow, device string, t *tally) {
	b.t.Helper()
	b.print(flow, device, t)
	for i, f := range t.broken {
		if i == maxShown {
			b.t.Errorf("and %d more", len(t.broken)-i)
			break
		}
		b.t.Errorf("%s\n%s\nreplay: -args -seed %d -bound %d -replay '%s'", f.sentence, f.seen, *seed, *bound, f.course)
	}
	b.sum.add(t)
}

func (b *table) end() { b.print("all", "", &b.sum) }

func (b *table) print(flow, device string, t *tally) {
	fmt.Printf("%-38s %-6s %5d %5d %6d %8d %7d %7d %6d %8s\n",
		flow, device, t.operations, t.changes, t.faults, t.outcomes, t.states, t.runs, len(t.broken),
		t.took.Round(time.Millisecond))
}
