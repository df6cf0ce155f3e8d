package main

import (
	"path/filepath"
	"testing"

	"nexus/daemons/initd/machine"
	"nexus/libupdates/bootctl"
	"nexus/selftest/demo"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// A core that a set carries takes over as the first process without a reboot, and again at each boot. One that ends
// takes the kernel with it; the machine comes back to the set before by itself, within the tries.
func TestCore(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		m.Reboots = true
		kit.Must(t, qemu.MakeDisk(m.Disk.File, 128<<20))
		good := withCore(t, m.Arch, "2.0.0", top().place(m.Arch).at("nexus"))
		ends := withCore(t, m.Arch, "3.0.0", filepath.Join("../../out/guest", m.Arch, "demo/work/1.2.0/hello"))

		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		r.nx("update", good).want(t, 0, "updated to 2.0.0 in slot b, healthy")
		r.await(machine.LineNext, 1)
		if boots := count(r.console(), machine.LineFirst); boots != 1 {
			t.Errorf("the machine was started %d times for it", boots)
		}
		r.nx("status", "--json").want(t, 0, `"core":"2.0.0"`)

		r.Reset()
		r.await(machine.LineNext, 2)
		r.await("init: health ok (slot b)", 2)

		r.nxOver(bootctl.DefaultTries, "update", ends).want(t, 1, "rolled back: tries-exhausted")
		r.await("init: health ok (slot b)", 3)
		if boots := count(r.console(), machine.LineFirst); boots != 2+bootctl.DefaultTries {
			t.Errorf("the machine was started %d times, want twice and once for each of %d tries", boots,
				bootctl.DefaultTries)
		}
		r.nx("status", "--json").want(t, 0, `"core":"2.0.0"`)
		r.nx("shutdown").want(t, 0, "is down")
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// withCore packs a set of the demo's healthy services and a program as its core, and returns its file.
func withCore(t *testing.T, arch, version, program string) string {
	t.Helper()
	set, err := demo.WithCore("../../bin", filepath.Join("../../out/guest", arch, "demo"), version, program,
		t.TempDir())
	kit.Must(t, err)
	return set
}
