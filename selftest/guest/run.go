package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/selftest/console"
	"nexus/selftest/qemu"
)

// watchFlags say how a run of the update flow ends.
type watchFlags struct {
	Timeout     time.Duration `default:"190s" help:"End the run, as failed, after this long."`
	UntilMarker bool          `help:"End the run once the last marker was seen."`
}

// watcher returns one that expects these markers.
func (f watchFlags) watcher(markers []string) *console.Watcher {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	return &console.Watcher{Markers: markers, UntilMarker: f.UntilMarker, Timeout: time.After(f.Timeout),
		Interrupted: interrupted, Patience: console.DefaultPatience, Out: os.Stdout}
}

// hostVerb runs the update flow without a guest.
type hostVerb struct {
	watchFlags
	Command []string `arg:"" help:"The system's command line."`
}

// Run succeeds only if all markers appeared, in order, and the system ended by itself, in order.
func (v *hostVerb) Run() error {
	path, err := exec.LookPath(v.Command[0])
	if err != nil {
		return fmt.Errorf("cannot start the system: %w", err)
	}
	system, err := console.Start(path, v.Command[1:], nil)
	if err != nil {
		return fmt.Errorf("cannot start the system: %w", err)
	}
	w := v.watcher(console.OTA())
	if err := w.Run(system); err != nil {
		return err
	}
	fmt.Printf("run: all %d markers seen, in order\n", len(w.Markers))
	return nil
}

// runVerb runs the update flow in a guest.
type runVerb struct {
	machineFlags
	watchFlags
}

// Run succeeds only if all markers appeared, in order, and the guest powered its machine off.
func (v *runVerb) Run(g *grammar) error {
	markers := console.OTA()
	if v.Disk != "" {
		if _, err := os.Stat(v.Disk); err == nil {
			return &adviceError{fmt.Errorf("cannot run on %s: the flow begins with a new disk", v.Disk),
				"remove it, or name another file"}
		}
		markers = console.Persistent()
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
	w := v.watcher(markers)
	w.Boot, w.Log = machine.LineFirst, log
	if v.Debug {
		w.Timeout = nil // whoever holds the machine still decides how long it takes
	}
	guest, err := qemu.Start(m, "")
	if err != nil {
		return err
	}
	if err := w.Run(guest); err != nil {
		return &adviceError{err, "the whole console is in " + log.Name()}
	}
	fmt.Printf("run: all %d markers seen, in order, on %s\n", len(markers), v.Arch)
	return nil
}

// An adviceError is an error and what to do about it.
type adviceError struct {
	error
	hint string
}

func (e *adviceError) Unwrap() error { return e.error }

// Hint returns the advice.
func (e *adviceError) Hint() string { return e.hint }
