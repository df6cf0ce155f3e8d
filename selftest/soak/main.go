package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the command: 0 when every cycle went as it must, 1 when one did not, 2 for wrong usage.
func run(args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("soak", flag.ContinueOnError)
	set.SetOutput(stderr)
	cycles := set.Int("cycles", 1000, "how many update cycles")
	first := set.Int("first", 0, "number of the first cycle")
	seed := set.Uint64("seed", 1, "what decides sets, flows, faults and moments")
	bin := set.String("bin", "bin", "folder with nx, nexus and the packers")
	more := set.Int("more", 0,
		"how many further daemons are killed after each cycle; initd then lives throughout, and must not grow")
	demo := set.String("sets", "out/demo", "folder with the demo's sets and keys")
	if err := set.Parse(args); err != nil || set.NArg() > 0 || *cycles < 1 || *first < 0 || *more < 0 {
		return 2
	}
	if err := soak(*seed, *first, *cycles, *more, *bin, *demo, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "soak: cannot soak: %v\n", err)
		return 1
	}
	return 0
}

// soak runs one soak in a folder of its own, which a failure leaves for inspection.
func soak(seed uint64, first, cycles, more int, bin, demo string, stdout, stderr io.Writer) error {
	demo, err := filepath.Abs(demo)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "nexus-soak")
	if err != nil {
		return err
	}
	s, err := newSoak(seed, bin, demo, dir)
	if err != nil {
		os.RemoveAll(dir)
		return err
	}
	s.more = more
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, s.host.Kill) // whoever waits for the system then sees it gone
	begun := time.Now()
	err = s.run(ctx, first, cycles, stderr)
	s.host.Kill() // after a failure; a system that was shut down has left nothing
	if err != nil {
		s.explain(stderr)
		return fmt.Errorf("seed %d: %w", seed, err)
	}
	s.report(stdout, time.Since(begun))
	return os.RemoveAll(dir)
}
