package powercut

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/selftest/kit"
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
func (h *harness) startAgain(t testing.TB, log string) *session {
	kit.Must(t, qemu.MakeDisk(h.disk(), diskSize))
	h.starts++
	session, err := h.start(t.Context(), qemu.Disk{File: h.disk(), Log: log}, "--watch", "0")
	kit.Must(t, err)
	t.Cleanup(session.end)
	return session
}

// cycle starts the machine, lets the operator act, cuts the power as planned, and checks the disk.
func (h *harness) cycle(t testing.TB, c cycle) {
	if c.blank {
		h.was, h.ahead, h.boot, h.starts = stand{}, nil, 0, 0
		kit.Must(t, os.RemoveAll(h.disk()))
	}
	if !c.loses {
		h.live(t, h.startAgain(t, ""), c)
	} else {
		log := filepath.Join(h.work, "log")
		kit.Must(t, errors.Join(qemu.MakeDisk(h.disk(), diskSize), os.RemoveAll(log), qemu.MakeDisk(log, 0)))
		before, err := os.ReadFile(h.disk())
		kit.Must(t, err)
		h.live(t, h.startAgain(t, log), c)
		h.lose(t, c, before, log)
	}
	h.examine(t)
	t.Log(h.told)
}

// lose rebuilds the disk without some of the writes that were not flushed.
func (h *harness) lose(t testing.TB, c cycle, before image, log string) {
	writes, err := readLog(log)
	kit.Must(t, err)
	after := barriersOf(writes)
	kept := after[len(after)-1]
	before.apply(writes[:kept]...)
	before.apply(survivors(rand.New(rand.NewPCG(c.seed, 0)), writes[kept:])...)
	h.tally["writes that could be lost"] += len(writes) - kept
	kit.Must(t, before.store(h.disk()))
}

// examine checks the disk as it is now.
func (h *harness) examine(t testing.TB) {
	raw, err := os.ReadFile(h.disk())
	kit.Must(t, err)
	dir := filepath.Join(h.work, "look")
	kit.Must(t, os.MkdirAll(dir, 0o700))
	f, err := lookAt(raw, dir, h.verify)
	kit.Must(t, err)
	if f.fresh {
		h.told += ", disk still blank"
	}
	kit.Must(t, promise{sets: h.sets, mayFail: true}.onDisk(f, h.was, h.ahead))
}

// last waits once more until the device is healthy, and stops it in order.
func (h *harness) last(t testing.TB) {
	session := h.startAgain(t, "")
	h.settle(t, session)
	_, err := session.Run("shutdown")
	kit.Must(t, err)
	kit.Must(t, session.Wait())
	h.examine(t)
}

// summary returns the tally in one line.
func (h *harness) summary() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(h.tally)) {
		parts = append(parts, fmt.Sprintf("%s %d", what, h.tally[what]))
	}
	return strings.Join(parts, "; ")
}
