// Command damage damages every file and folder of a system in every way that a disk or a hurried hand can, one at a
// time. Three outcomes are allowed: the set runs as before; the other slot comes back, and the console says so; the
// start ends with one line that names what is wrong. Anything else is a violation. It looks from outside only: by the
// console, nx, the folder and /proc.
//
//	damage -bin bin -sets out/demo -whole
//	damage -bin bin -sets out/demo -cell root/rest/system/a=deleted
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

// run is the command: 0 when every cell came out well, 1 when one did not, 2 for wrong usage.
func run(args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("damage", flag.ContinueOnError)
	set.SetOutput(stderr)
	c := Campaign{Out: stdout, Tell: stderr}
	set.StringVar(&c.Bin, "bin", "bin", "folder with nx, nexus and the packers")
	set.StringVar(&c.Demo, "sets", "out/demo", "folder with the demo's sets and keys")
	set.StringVar(&c.Only, "cell", "", "a cell, or how the names of several begin")
	set.BoolVar(&c.Whole, "whole", false, "all cells, not a sample")
	set.IntVar(&c.Sample, "sample", sampleSize, "how many cells a sample has, about")
	set.IntVar(&c.Jobs, "j", 2, "how many cells at a time")
	set.DurationVar(&c.Bound, "bound", 20*time.Second, "how long a system may be silent before it counts as never up")
	set.BoolVar(&c.Console, "console", false, "show the console of every cell")
	if err := set.Parse(args); err != nil || set.NArg() > 0 || c.Jobs < 1 {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.run(ctx); err != nil {
		fmt.Fprintf(stderr, "damage: %v\n", err)
		return 1
	}
	return 0
}

// run builds what all cells begin with, runs them, and removes everything again.
func (c *Campaign) run(ctx context.Context) (err error) {
	if c.dir, err = os.MkdirTemp("", "nexus-damage"); err != nil {
		return err
	}
	defer os.RemoveAll(c.dir)
	if err := os.Chmod(c.dir, 0o755); err != nil { // an ordinary user's systems are in it
		return err
	}
	if c.Bin, err = filepath.Abs(c.Bin); err != nil {
		return err
	}
	if err := c.prepare(); err != nil {
		return fmt.Errorf("cannot prepare: %w", err)
	}
	cells, err := c.cells()
	if err != nil {
		return err
	}
	return c.all(ctx, cells)
}
