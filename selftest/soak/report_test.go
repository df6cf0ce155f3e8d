package soak

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Tally is what a soak has gone through.
type Tally struct {
	cycles   int
	faults   int
	kills    map[string]int // by what was hit
	inTime   int
	moments  map[string]int
	outcomes map[string]int // by flow or fate, and what came of it
	answer   slowest
	quiet    slowest
}

// The slowest of many durations, and in which cycle it was.
type slowest struct {
	took   time.Duration
	number int
}

func (s *slowest) add(took time.Duration, number int) {
	if took > s.took {
		*s = slowest{took, number}
	}
}

func (s slowest) String() string {
	return fmt.Sprintf("%s, in cycle %d", s.took.Round(time.Millisecond), s.number)
}

func newTally() Tally {
	return Tally{kills: map[string]int{}, moments: map[string]int{}, outcomes: map[string]int{}}
}

func (t *Tally) add(r *Run) {
	t.cycles++
	t.outcomes[r.outcome()]++
	if r.Hit == "" {
		return
	}
	t.faults++
	for _, name := range strings.Split(r.Hit, " and ") {
		t.kills[name]++
	}
	if r.InTime {
		t.inTime++
		t.moments[r.Moment.Event]++
	}
	t.answer.add(r.Answer, r.Number)
	t.quiet.add(r.Quiet, r.Number)
}

// outcome is what came of a cycle's set, in a word.
func (r *Run) outcome() string {
	if r.Set == nil {
		if r.After.ActiveSlot != r.Before.ActiveSlot {
			return "rollback by operator: returned"
		}
		return "rollback by operator: stayed"
	}
	kind := r.Set.Fate.String()
	switch {
	case r.After.Active().Digest() == r.Set.Digest && r.Before.Active().Digest() != r.Set.Digest:
		return kind + ": committed"
	case r.After.Quarantined(r.Set.Digest) != "" && r.Before.Quarantined(r.Set.Digest) == "":
		return kind + ": rolled back"
	case r.Before.Quarantined(r.Set.Digest) != "":
		return kind + ": in quarantine"
	case r.After.StagedSlot != nil && r.After.Staged() == r.Set.Digest:
		return kind + ": staged"
	default:
		return kind + ": left no trace"
	}
}

// report prints what a run without a finding went through.
func (s *Soak) report(w io.Writer, took time.Duration) {
	t := s.tally
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintf(table, "seed\t%d\n", s.seed)
	fmt.Fprintf(table, "cycles\t%d\tin %s\n", t.cycles, took.Round(time.Second))
	fmt.Fprintf(table, "faults\t%d\t%d at the moment that was planned\n", t.faults, t.inTime)
	rows(table, "  kill of ", t.kills)
	rows(table, "  moment ", t.moments)
	fmt.Fprintf(table, "outcomes\n")
	rows(table, "  ", t.outcomes)
	fmt.Fprintf(table, "starts of the system\t%d\n", len(s.host.Sessions))
	fmt.Fprintf(table, "slowest answer after a kill\t%s\n", t.answer)
	fmt.Fprintf(table, "slowest return to quiet\t%s\n", t.quiet)
	fmt.Fprintf(table, "longest life of\tlooks\tfds first, last, most\tMiB first, last, most\n")
	for _, l := range s.growth.longest() {
		fmt.Fprintf(table, "  %s\t%d\t%d %d %d\t%d %d %d\n", l.Name, l.Looks, l.First.FDs, l.Last.FDs, l.Most.FDs,
			l.First.RSS>>20, l.Last.RSS>>20, l.Most.RSS>>20)
	}
	if s.more > 0 {
		fmt.Fprintf(table, "initd, looks from\tfds, most\tKiB, mean\n")
		for i, w := range s.growth.longest()[0].Windows {
			fmt.Fprintf(table, "  %d\t%d\t%d\n", i*window, w.FDs, w.Mean()>>10)
		}
	}
}

// rows prints counts in the order of their names.
func rows(w io.Writer, before string, counts map[string]int) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s%s\t%d\n", before, name, counts[name])
	}
}

// consoleLines is how much of the console a failure shows.
const consoleLines = 40

// explain prints all that is needed to look into a failure.
func (s *Soak) explain(w io.Writer) {
	fmt.Fprintf(w, "the last steps:\n")
	for _, step := range s.steps {
		fmt.Fprintf(w, "  %s\n", step)
	}
	fmt.Fprintf(w, "the console's last lines:\n")
	for _, line := range s.host.Since(s.host.Shown() - consoleLines) {
		fmt.Fprintf(w, "  %s\n", line)
	}
	fmt.Fprintf(w, "soak: the folder is kept in %s\n", s.host.Dir)
}
