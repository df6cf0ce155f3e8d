package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/selftest/ladder"
	"nexus/selftest/qemu"
	"nexus/selftest/watch"
)

// runVerb runs the update flow.
type runVerb struct {
	machineFlags
	Timeout     time.Duration `default:"190s" help:"End the run, as failed, after this long."`
	UntilMarker bool          `help:"End the run once the last marker was seen."`
}

// Run ends well only when every marker came, in order, and the guest powered its machine off.
func (v *runVerb) Run(g *grammar) error {
	rungs := ladder.OTA()
	if v.Disk != "" {
		if _, err := os.Stat(v.Disk); err == nil {
			return &usedDiskError{v.Disk}
		}
		rungs = ladder.Persistent()
	}
	m, err := v.machine(g, "--selftest", machine.GuestSets)
	if err != nil {
		return err
	}
	log, err := os.Create(g.place(v.Arch).at("console.log"))
	if err != nil {
		return fmt.Errorf("cannot keep the console: %w", err)
	}
	defer log.Close()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	timeout := time.After(v.Timeout)
	if v.Debug {
		timeout = nil // whoever holds the machine still decides how long it takes
	}
	guest, err := qemu.Start(m, "")
	if err != nil {
		return err
	}
	w := watch.Watcher{
		Rungs: rungs, Boot: machine.LineFirst,
		UntilMarker: v.UntilMarker, Timeout: timeout, Interrupted: interrupted, Patience: watch.DefaultPatience,
		Out: os.Stdout, Log: log,
	}
	if err := w.Run(guest); err != nil {
		return &loggedError{err, log.Name()}
	}
	fmt.Printf("run: all %d markers seen, in order, on %s\n", len(rungs), v.Arch)
	return nil
}

// A usedDiskError says that a run cannot begin with this disk: it shows a system from its first start on.
type usedDiskError struct{ file string }

func (e *usedDiskError) Error() string {
	return fmt.Sprintf("cannot run on %s: the flow begins with a new disk", e.file)
}

// Hint is what to do about it.
func (e *usedDiskError) Hint() string { return "remove it, or name another file" }

// A loggedError is one whose whole story is in a file.
type loggedError struct {
	error
	log string
}

func (e *loggedError) Unwrap() error { return e.error }

// Hint says where.
func (e *loggedError) Hint() string { return "the whole console is in " + e.log }
