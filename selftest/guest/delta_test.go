package main

import (
	"path/filepath"
	"testing"

	"nexus/selftest/qemu"
)

// A guest makes a new set from a delta and what its slots hold, and refuses a delta on what they do not hold.
func TestDelta(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		delta := func(old, fresh string) string {
			file := filepath.Join(t.TempDir(), "up.nxdelta")
			tool(t, "nxs-pack", "delta", "--key", filepath.Join("../../out/guest", m.Arch, "demo/keys/demo"),
				"--output", file, set(m.Arch, old), set(m.Arch, fresh))
			return file
		}
		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		r.nx("update", delta("system-v1.1.0.nxs", "system-v1.2.0.nxs")).want(t, 1, "which the device does not hold")
		r.nx("update", delta("system-v1.0.0.nxs", "system-v1.1.0.nxs")).want(t, 0, "updated to 1.1.0 in slot b, healthy")
		r.nx("verify").want(t, 0, "slot b: 1.1.0 is intact")
	})
}
