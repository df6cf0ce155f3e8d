package powercut

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nexus/selftest/qemu"
)

// A harness is one device across many cuts, and what is known about it.
type harness struct {
	*device
	work string

	was    stand   // what was acknowledged, across all cuts
	ahead  []stand // what may have been in progress
	boot   uint64  // boot number when the system was last quiet
	starts int     // starts since then
	free   string  // the slot for the next set
	tally  map[string]int
	told   string // the outcome of the last cycle
}

func (h *harness) disk() string { return filepath.Join(h.work, "disk") }

// startAgain starts the machine with its disk and a log of its writes, if one is asked for. What was confirmed stays
// confirmed: there is no watch.
func (h *harness) startAgain(ctx context.Context, log string) (*session, error) {
	if err := qemu.MakeDisk(h.disk(), diskSize); err != nil {
		return nil, err
	}
	h.starts++
	return h.start(ctx, qemu.Disk{File: h.disk(), Log: log}, "--watch", "0")
}

// cycle starts the machine, lets the operator act, cuts the power as planned, and checks the disk.
func (h *harness) cycle(ctx context.Context, c cycle) error {
	before, log, err := h.prepare(c)
	if err != nil {
		return err
	}
	session, err := h.startAgain(ctx, log)
	if err != nil {
		return err
	}
	defer session.end()
	err = h.live(session, c)
	session.end()
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	h.hear(session)
	if c.loses {
		if err := h.lose(c, before, log); err != nil {
			return err
		}
	}
	return h.examine()
}

// prepare makes the disk, if it is to be a new one. If the cycle is to lose writes, it returns the disk's content and
// an empty log.
func (h *harness) prepare(c cycle) (before image, log string, err error) {
	if c.blank {
		h.was, h.ahead, h.boot, h.starts = stand{}, nil, 0, 0
		if err := os.RemoveAll(h.disk()); err != nil {
			return nil, "", err
		}
	}
	if !c.loses {
		return nil, "", nil
	}
	log = filepath.Join(h.work, "log")
	err = errors.Join(qemu.MakeDisk(h.disk(), diskSize), os.RemoveAll(log), qemu.MakeDisk(log, 0))
	if err == nil {
		before, err = os.ReadFile(h.disk())
	}
	return before, log, err
}

// lose rebuilds the disk without some of the writes that were not flushed.
func (h *harness) lose(c cycle, before image, log string) error {
	writes, err := readLog(log)
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
	return promise{h.sets, true}.onDisk(f, h.was, h.ahead)
}

// last waits once more until the device is healthy, and stops it in order.
func (h *harness) last(ctx context.Context) error {
	session, err := h.startAgain(ctx, "")
	if err != nil {
		return err
	}
	defer session.end()
	if err := h.settle(session); err != nil {
		return err
	}
	if _, err := session.Run("shutdown"); err != nil {
		return err
	}
	if err := session.Wait(); err != nil {
		return err
	}
	return h.examine()
}

// summary returns the tally in one line.
func (h *harness) summary() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(h.tally)) {
		parts = append(parts, fmt.Sprintf("%s %d", what, h.tally[what]))
	}
	return strings.Join(parts, "; ")
}
