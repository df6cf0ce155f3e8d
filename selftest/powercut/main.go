package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
	"nexus/selftest/oracle"
)

// A grammar is the command line.
type grammar struct {
	Arch  string `default:"riscv64" enum:"riscv64,amd64" help:"Architecture of the guest: riscv64 or amd64."`
	Seed  uint64 `default:"1" help:"What decides everything that is chosen."`
	Cache string `default:".cache/guest" help:"Folder for kernels."`
	Out   string `default:"out/guest" help:"Folder for images and sets."`
	Bin   string `default:"bin" help:"Folder with nx and the packers."`

	Kill   killVerb   `cmd:"" help:"Kill QEMU in the midst of things, again and again."`
	Replay replayVerb `cmd:"" help:"Record the writes of a flow, and look at the disk as every barrier leaves it."`
}

func main() {
	var g grammar
	parser := kong.Must(&g, kong.Name("powercut"), kong.Description("Cuts the power of guests."), kong.UsageOnError())
	parsed, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "powercut: %v\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(&g); err != nil {
		fmt.Fprintf(os.Stderr, "powercut: %v\n", err)
		var advice interface{ Hint() string }
		if errors.As(err, &advice) {
			fmt.Fprintf(os.Stderr, "hint: %s\n", advice.Hint())
		}
		os.Exit(1)
	}
}

// demo returns the folder of the demo's sets for the architecture.
func (g *grammar) demo() string { return filepath.Join(g.Out, g.Arch, "demo") }

// verifier returns a function that checks signatures with the demo's key.
func (g *grammar) verifier() (nxs.VerifyFunc, error) {
	key, err := trust.ReadPublicKey(filepath.Join(g.demo(), "keys", "demo.pub"))
	if err != nil {
		return nil, err
	}
	anchors := trust.NewAnchors(trust.Anchor{Role: trust.RoleSystem, Key: key})
	return func(message, signature []byte) (trust.PublicKey, error) {
		return anchors.Verify(trust.RoleSystem, message, signature)
	}, nil
}

// replayVerb is `powercut replay`.
type replayVerb struct {
	Losses int    `default:"3" help:"How many losses of unflushed writes to look at between two barriers."`
	Boots  int    `default:"6" help:"How many of the disks to start a guest from."`
	Keep   string `placeholder:"DIR" help:"Keep the recording in this folder."`
	Again  string `placeholder:"DIR" help:"Look at a recording that was kept, instead of a new one."`
}

// Run records a flow, looks at its cuts, and starts guests from some of them. What was found wrong keeps its folder.
func (v *replayVerb) Run(ctx context.Context, g *grammar) error {
	return g.within(func(work string) error { return v.run(ctx, g, work, os.Stdout) })
}

func (v *replayVerb) run(ctx context.Context, g *grammar, work string, out io.Writer) error {
	verify, err := g.verifier()
	if err != nil {
		return err
	}
	sets, err := brought(g.Bin, g.demo(), work)
	if err != nil {
		return err
	}
	d, err := newDevice(g.Arch, g.Cache, g.Out, g.Bin, work)
	if err != nil {
		return err
	}
	begun := time.Now()
	r, err := v.recording(ctx, d, sets, work)
	if err != nil {
		return err
	}
	recorded := time.Now()
	fmt.Fprintf(out, "powercut: recorded %d requests, %d stands, in %s\n", len(r.writes), len(r.stands),
		recorded.Sub(begun).Round(time.Second))
	done, err := r.replay(ctx, g.Seed, v.Losses, verify, work)
	if err != nil {
		return fmt.Errorf("seed %d: %w", g.Seed, err)
	}
	fmt.Fprintf(out,
		"powercut: %d barriers, %d cuts, %d of them different; blank %d, mended by the start %d; 0 violations, in %s\n",
		done.barriers, done.cuts, done.distinct, done.fresh, done.mended, time.Since(recorded).Round(time.Second))
	booted := time.Now()
	if err := r.boot(ctx, d, g.Seed, v.Boots, v.Losses, work); err != nil {
		return fmt.Errorf("seed %d: %w", g.Seed, err)
	}
	fmt.Fprintf(out, "powercut: %d of them started, in %s\n", v.Boots, time.Since(booted).Round(time.Second))
	return nil
}

// recording makes a recording, or loads one that was kept.
func (v *replayVerb) recording(ctx context.Context, d *device, sets oracle.Sets, work string) (*recording, error) {
	if v.Again != "" {
		return load(sets, v.Again)
	}
	if v.Keep == "" {
		return record(ctx, d, sets, work)
	}
	if err := os.MkdirAll(v.Keep, 0o755); err != nil {
		return nil, err
	}
	return record(ctx, d, sets, v.Keep)
}

// within runs something in a folder of its own, which a failure leaves for inspection.
func (g *grammar) within(do func(work string) error) error {
	work, err := os.MkdirTemp("", "nexus-powercut-")
	if err != nil {
		return err
	}
	if err := do(work); err != nil {
		return fmt.Errorf("%w\nhint: disk and console are kept in %s", err, work)
	}
	return os.RemoveAll(work)
}
