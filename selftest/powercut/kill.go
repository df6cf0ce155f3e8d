package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"nexus/libupdates/nxs"
	"nexus/selftest/oracle"
	"nexus/selftest/qemu"
)

// killVerb is `powercut kill`.
type killVerb struct {
	Cycles int `default:"100" help:"How many cuts."`
	First  int `default:"0" help:"Number of the first cycle; it begins with a new disk."`
}

// Run runs the cycles. A cycle that fails keeps its disk and console.
func (v *killVerb) Run(ctx context.Context, g *grammar) error {
	return g.within(func(work string) error { return v.run(ctx, g, work, os.Stdout) })
}

func (v *killVerb) run(ctx context.Context, g *grammar, work string, out io.Writer) error {
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
	d.machine.Args = append(patient(), "--watch", "0") // so that what was confirmed stays confirmed
	h := &harness{device: d, sets: sets, verify: verify, work: work, tally: map[string]int{}}
	begun := time.Now()
	for n := range v.Cycles {
		c := planned(g.Seed, v.First+n)
		c.blank = c.blank || n == 0
		if err := h.cycle(ctx, c); err != nil {
			return fmt.Errorf("seed %d, %s: %w", g.Seed, c, err)
		}
		fmt.Fprintf(out, "powercut: %s: %s\n", c, h.told)
	}
	if err := h.last(ctx); err != nil {
		return fmt.Errorf("seed %d, after all cycles: %w", g.Seed, err)
	}
	fmt.Fprintf(out, "powercut: %d cuts, 0 violations, in %s: %s\n", v.Cycles, time.Since(begun).Round(time.Second),
		h.summary())
	return nil
}

// A harness is one device across many cuts, and what is known about it.
type harness struct {
	device *device
	sets   oracle.Sets
	verify nxs.VerifyFunc
	work   string

	was    stand   // what was acknowledged, across all cuts
	ahead  []stand // what may have been in progress
	boot   uint64  // boot number when the system was last quiet
	starts int     // starts since then
	free   string  // the slot for the next set
	tally  map[string]int
	told   string // the outcome of the last cycle
}

func (h *harness) disk() string { return filepath.Join(h.work, "disk") }

// cycle starts the machine, lets the operator act, cuts the power as planned, and checks the disk.
func (h *harness) cycle(ctx context.Context, c cycle) error {
	before, err := h.prepare(c)
	if err != nil {
		return err
	}
	session, err := h.device.start()
	if err != nil {
		return err
	}
	defer session.end()
	defer context.AfterFunc(ctx, session.Kill)()
	h.starts++
	err = h.live(session, c)
	session.end()
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	h.hear(session)
	if c.loses {
		if err := h.lose(c, before); err != nil {
			return err
		}
	}
	return h.examine()
}

// prepare puts the disk in place. If the cycle is to lose writes, they are logged from now on, and the disk's earlier
// content is returned.
func (h *harness) prepare(c cycle) (before image, err error) {
	disk := qemu.Disk{File: h.disk()}
	if c.blank {
		h.was, h.ahead, h.boot, h.starts = stand{}, nil, 0, 0
		if err := os.RemoveAll(disk.File); err != nil {
			return nil, err
		}
	}
	if err := qemu.MakeDisk(disk.File, diskSize); err != nil {
		return nil, err
	}
	if c.loses {
		if before, err = os.ReadFile(disk.File); err != nil {
			return nil, err
		}
		disk.Log = filepath.Join(h.work, "log")
		if err := errors.Join(os.RemoveAll(disk.Log), qemu.MakeDisk(disk.Log, 0)); err != nil {
			return nil, err
		}
	}
	h.device.machine.Disk = disk
	return before, nil
}

// lose rebuilds the disk without some of the writes that were not flushed.
func (h *harness) lose(c cycle, before image) error {
	writes, err := readLog(h.device.machine.Disk.Log)
	if err != nil {
		return err
	}
	after := barriersOf(writes)
	kept := after[len(after)-1]
	before.apply(writes[:kept]...)
	before.apply(survivors(rand.New(rand.NewPCG(c.seed, 0)), writes[kept:])...)
	h.tally["writes that could be lost"] += len(writes) - kept
	return before.store(h.disk())
}

// examine checks the disk as it is now.
func (h *harness) examine() error {
	raw, err := os.ReadFile(h.disk())
	if err != nil {
		return err
	}
	dir := filepath.Join(h.work, "look")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := lookAt(raw, dir, h.verify)
	if err != nil {
		return err
	}
	if f.fresh {
		h.told += ", disk still blank"
	}
	return promise{h.sets, true}.check(f, h.was, h.ahead)
}

// last waits once more until the device is healthy, and stops it in order.
func (h *harness) last(ctx context.Context) error {
	if _, err := h.prepare(cycle{}); err != nil {
		return err
	}
	session, err := h.device.start()
	if err != nil {
		return err
	}
	defer session.end()
	defer context.AfterFunc(ctx, session.Kill)()
	if err := h.settle(session); err != nil {
		return err
	}
	if out, status, err := session.run("shutdown"); err != nil || status != 0 {
		return fmt.Errorf("nx shutdown: status %d: %s (%w)", status, out, err)
	}
	if err := session.Wait(); err != nil {
		return err
	}
	return h.examine()
}
