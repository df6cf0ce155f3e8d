package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
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
	if *rounds < 1 || *calls < 4*inFlight || *bulk < 1 {
		return fmt.Errorf("at least 1 round, %d calls and 1 MiB are needed", 4*inFlight)
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
	var (
		names   []string
		clients []client
	)
	for i, who := range contenders() {
		if who.ready != nil {
			if err := who.ready(); err != nil {
				fmt.Printf("%s left out: %v\n", who.name, err)
				continue
			}
		}
		c, end, err := far(ctx, dir, i)
		if err != nil {
			return err
		}
		defer end()
		fmt.Printf("%s: %s\n", who.name, who.about)
		names, clients = append(names, who.name), append(clients, c)
	}
	table, err := measureAll(ctx, clients, rounds, e)
	if err != nil {
		return err
	}
	fmt.Printf(
		"\n%d rounds in turns; %d calls of 64 bytes each way, a stream of %d MiB; medians, ratios to %s in the same round\n\n",
		rounds, e.calls, e.bulk>>20, names[0])
	if err := print(os.Stdout, names, table); err != nil {
		return err
	}
	fmt.Println()
	for i, name := range names {
		if cost := chains(table, i); cost > 0 {
			fmt.Printf("%s: three calls in one chain cost %.2f of one call\n", name, cost)
		}
	}
	return nil
}

// measureAll runs one round that does not count, and then those that do.
func measureAll(ctx context.Context, clients []client, rounds int, e effort) ([][]sample, error) {
	var table [][]sample
	for round := range rounds + 1 {
		var row []sample
		for _, c := range clients {
			s, err := measure(ctx, c, e)
			if err != nil {
				return nil, err
			}
			row = append(row, s)
		}
		if round > 0 {
			table = append(table, row)
		}
	}
	return table, nil
}
