package main

import (
	"os"
	"path/filepath"
	"testing"

	"nexus/selftest/demo"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// A machine keeps the state of a bundle on its disk, in an image of the size of its quota. What the program has made
// durable is there after a reset at any moment; what it fills is that image, not the disk; and a rollback returns what
// there was before the switch.
func TestBundleState(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		m.Reboots = true
		kit.Must(t, qemu.MakeDisk(m.Disk.File, 2*testDisk))
		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		policy := filepath.Join(r.dir, "policy.toml")
		kit.Must(t, os.WriteFile(policy, []byte(statePolicy), 0o644))
		r.nx("policy", "set", policy).want(t, 0, "the policy is set")
		r.nx("update", counterSet(t, m.Arch, "2.0.0", "")).want(t, 0, "updated to 2.0.0")
		r.logged("start 1, version 2.0.0")
		r.Reset()
		r.await("init: health ok (slot b)", 2)
		r.logged("start 2, version 2.0.0")

		r.nx("update", counterSet(t, m.Arch, "3.0.0", "fill")).want(t, 0, "updated to 3.0.0")
		r.logged("start 3, version 3.0.0")
		r.logged("MiB: true") // it found its image full, and no more than that
		r.nx("state").want(t, 0, "8.0 MiB")
		r.Reset()
		r.await("init: health ok (slot a)", 3)
		r.logged("start 4, version 3.0.0")

		r.nx("rollback").want(t, 0, "rolled back: 2.0.0 in slot b, healthy")
		r.logged("start 3, version 2.0.0")
		r.nx("reboot").want(t, 0, "")
		r.await("init: health ok (slot b)", 4)
		r.logged("start 4, version 2.0.0")
		r.nx("verify").want(t, 0, "2.0.0 is intact")
		r.nx("shutdown").want(t, 0, "is down")
		kit.Must(t, r.end())
	})
}

const statePolicy = `[[allow]]
publisher = "*"
bundle = "counter"
powers = ["state:8MiB"]
`

// counterSet packs a set of the program that counts its starts, in one of its modes, by the demo's key.
func counterSet(t *testing.T, arch, version, mode string) string {
	t.Helper()
	dir := t.TempDir()
	p := demo.Packer{Bin: "../../bin", Key: filepath.Join("../../out/guest", arch, "demo", "keys", "demo")}
	in, set, program := filepath.Join(dir, "in"), filepath.Join(dir, "system.nxs"), filepath.Join(dir, "counter")
	build(t, arch, program, "nexus/selftest/demo/counter", "-X main.version="+version, "-X main.mode="+mode)
	m := demo.Manifest{Name: "counter", Version: version, Abilities: demo.Plain, Caps: `"state:8MiB"`}
	kit.Must(t, p.Bundle(m, program, in))
	kit.Must(t, p.Set(in, version, set))
	return set
}
