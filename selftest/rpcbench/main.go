package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"

	"nexus/selftest/bench/table"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "rpcbench: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 3 && args[0] == "serve" {
		index, err := strconv.Atoi(args[1])
		if err != nil || index < 0 || index >= len(contenders()) {
			return fmt.Errorf("unknown contender %q", args[1])
		}
		return serve(index, args[2])
	}
	flags := flag.NewFlagSet("rpcbench", flag.ExitOnError)
	rounds := flags.Int("rounds", 9, "how often each is measured, in turns")
	calls := flags.Int("calls", 6400, "calls of each kind in a round")
	bulk := flags.Int64("bulk", 1<<10, "MiB that a stream sends in a round")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *rounds < 1 || *calls < 4*concurrent || *bulk < 1 {
		return fmt.Errorf("at least 1 round, %d calls and 1 MiB are needed", 4*concurrent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return compare(ctx, *rounds, effort{calls: *calls, bulk: *bulk << 20})
}

// compare measures all contenders in turns, round by round, and prints the table.
func compare(ctx context.Context, rounds int, e effort) error {
	dir, err := os.MkdirTemp("", "rpcbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
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
		c, end, err := far(ctx, dir, i)
		if err != nil {
			return err
		}
		defer end()
		fmt.Printf("%s: %s\n", who.name, who.about)
		if _, err := measure(ctx, c, e); err != nil { // a round that does not count
			return fmt.Errorf("%s: %w", who.name, err)
		}
		row.Run = func(ctx context.Context) ([]float64, error) { return measure(ctx, c, e) }
	}
	if err := t.Measure(ctx, rounds, func() error { return nil }); err != nil {
		return err
	}
	fmt.Printf("\n%d rounds in turns; %d calls of 64 bytes each way, a stream of %d MiB; medians, ratios to %s in the "+
		"same round\n\n%s\n", rounds, e.calls, e.bulk>>20, t.Floor, t.Markdown())
	for _, row := range t.Rows {
		if cost := t.Median(row.Name, func(round []float64) float64 { return round[chain] / round[serial] }); cost > 0 {
			fmt.Printf("%s: three calls in one chain cost %.2f of one call\n", row.Name, cost)
		}
	}
	return nil
}
