package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/selftest/kernel"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// pc is a machine whose kernel finds the chipset's watchdog first, with a disk, and only those of its modules that
// are not left out.
func pc(t *testing.T, m qemu.Machine, without ...string) qemu.Machine {
	t.Helper()
	found, err := kernel.Get(t.Context(), top().Cache, kernel.PC, false, testLog{t})
	kit.Must(t, err)
	found.Modules = slices.DeleteFunc(found.Modules, func(file string) bool {
		return slices.ContainsFunc(without, func(module string) bool { return strings.HasSuffix(file, "-"+module+".ko") })
	})
	m.Kernel, m.Image = found, rebuild(t, m.Arch, found)
	m.Disk.File = filepath.Join(t.TempDir(), "disk")
	kit.Must(t, qemu.MakeDisk(m.Disk.File, testDisk))
	m.Reboots, m.Wake = true, time.Minute // a PC's kernel looks for more
	m.Args = append(m.Args, "--try-watchdog")
	return m
}

// A testLog shows what is fetched.
type testLog struct{ t *testing.T }

// Write shows a line.
func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

// The watchdog that resets is armed, though the kernel has another one first that does not. That it resets is seen once
// and remembered.
func TestWatchdogIsChosenAndTried(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		if m.Arch != "amd64" {
			t.Skip("the chipset with two watchdogs is that of amd64 machines")
		}
		r := up(t, pc(t, m))
		r.await(machine.LineTrial+"i6300ESB timer is tried", 1)
		r.await(machine.LineFirst, 2)
		r.await("init: health ok (slot a)", 1)
		r.nx("status", "--json").want(t, 0, `"bootCause":"watchdog"`)
		r.nx("status").want(t, 0, "watchdog  i6300ESB timer, after 1m0s, seen to work")
		r.nx("reboot").want(t, 0, "begins anew")
		r.await("init: health ok (slot a)", 2)
		if n := count(r.console(), machine.LineTrial); n != 1 {
			t.Errorf("%d lines about trials, want one", n)
		}
	})
}

// The chipset's alone counts down and resets nothing: that is found out, and nobody is told that it guards the machine.
func TestWatchdogThatResetsNothing(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		if m.Arch != "amd64" {
			t.Skip("the chipset with a watchdog that resets nothing is that of amd64 machines")
		}
		r := up(t, pc(t, m, "i6300esb", "softdog"))
		r.await(machine.LineTrial+"iTCO_wdt does not restart the machine", 1)
		r.await("init: health ok (slot a)", 1)
		if resets := r.Resets(); len(resets) != 0 {
			t.Errorf("it was reset: %q", resets)
		}
		r.nx("status").want(t, 0, "watchdog  none: none of the machine's watchdogs resets it")
	})
}
