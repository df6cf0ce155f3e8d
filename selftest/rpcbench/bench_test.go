package rpcbench

import (
	"context"
	"flag"
	"fmt"
	"testing"

	"nexus/selftest/bench/table"
)

var (
	calls = flag.Int("calls", 6400, "calls of each kind in a round")
	bulk  = flag.Int64("bulk", 1<<10, "MiB that a stream sends in a round")
)

// BenchmarkContenders measures all contenders in turns, round by round, and prints the table.
func BenchmarkContenders(b *testing.B) {
	e, dir := effort{calls: max(*calls, 4*concurrent), bulk: *bulk << 20}, b.TempDir()
	t := table.Table{Columns: columns(), Floor: contenders()[0].name}
	for i, who := range contenders() {
		row := &table.Row{Name: who.name}
		t.Rows = append(t.Rows, row)
		if who.ready != nil {
			if err := who.ready(); err != nil {
				row.Missing = table.OneLine(err)
				continue
			}
		}
		c, end, err := far(b.Context(), dir, i)
		if err != nil {
			b.Fatal(err)
		}
		defer end()
		fmt.Printf("%s: %s\n", who.name, who.about)
		row.Run = func(ctx context.Context) ([]float64, error) { return measure(ctx, c, e) }
		if _, err := row.Run(b.Context()); err != nil { // a round that does not count
			b.Fatalf("%s: %v", who.name, err)
		}
	}
	for b.Loop() {
		if err := t.Round(b.Context(), func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	fmt.Printf("\n%d rounds in turns; %d calls of 64 bytes each way, a stream of %d MiB; medians, ratios to %s in "+
		"the same round\n\n%s\n", b.N, e.calls, e.bulk>>20, t.Floor, t.Markdown())
	for _, row := range t.Rows {
		if cost := t.Median(row.Name, func(round []float64) float64 { return round[chain] / round[serial] }); cost > 0 {
			fmt.Printf("%s: three calls in one chain cost %.2f of one call\n", row.Name, cost)
		}
	}
}
