package main

import (
	"path/filepath"
	"testing"

	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

const (
	keptLine = "payloads  verified by the kernel at every read"
	readLine = "payloads  read at each boot attempt: no fs-verity"
)

// A machine whose disk is new has the kernel verify the payloads of each set, also after an update and a reset. One
// without a disk, and one whose disk an earlier version made, read them, and say so.
func TestFsVerity(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		m.Reboots = true
		kit.Must(t, qemu.MakeDisk(m.Disk.File, testDisk))
		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		r.nx("status").want(t, 0, keptLine)
		r.nx("update", set(m.Arch, "system-v1.1.0.nxs")).want(t, 0, "healthy")
		r.nx("status").want(t, 0, keptLine)
		r.nx("verify").want(t, 0, "intact")
		r.Reset()
		r.await("init: health ok (slot b)", 2)
		r.nx("status").want(t, 0, keptLine)
		r.nx("shutdown").want(t, 0, "is down")
		kit.Must(t, r.end())
		inOrder(t, m.Disk.File)

		debugfs(t, m.Disk.File, "feature -verity")
		r = up(t, m)
		r.await("init: health ok (slot b)", 1)
		r.nx("status").want(t, 0, readLine)
		r.Kill()
		r.end()
	})
}
