package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/daemons/initd/machine"
	"nexus/libupdates/statedisk"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// testDisk is how many bytes the disks of these tests have. It is no multiple of anything.
const testDisk = 40<<20 + 3*512

// What a machine remembers is on its disk: after the end of a flow, after a reset in the midst of life, and after its
// power was cut. A disk that is damaged, full or somebody else's has an outcome of its own.
func TestStateDisk(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		m.Reboots = true
		kit.Must(t, qemu.MakeDisk(m.Disk.File, testDisk))
		if !t.Run("remembers", func(t *testing.T) { testRemembers(t, m) }) {
			return
		}
		t.Run("full", func(t *testing.T) { testFullDisk(t, m) })
		for _, c := range badDisks() {
			t.Run(c.name, func(t *testing.T) { c.run(t, m) })
		}
	})
}

func testRemembers(t *testing.T, m qemu.Machine) {
	kit.Must(t, flow(t, m))
	inOrder(t, m.Disk.File)
	r := up(t, m)
	for boot, end := range []func(){r.Reset, r.Kill} {
		r.await("init: health ok (slot b)", boot+1)
		r.nx("status").want(t, 0, "1.1.0 in slot b, healthy")
		r.nx("stage", set(m.Arch, "system-v1.2.0.nxs")).want(t, 1, "quarantine")
		r.nx("history").want(t, 0, "rollback")
		end()
	}
	r.end()
	if resets, boots := r.Resets(), count(r.console(), machine.LineFirst); len(resets) == 0 ||
		resets[0] != "host-qmp-system-reset" || boots != 2 {
		// firmware resets it, too, before its kernel starts
		t.Errorf("the machine was started %d times, reset: %q", boots, resets)
	}
	r = up(t, m)
	r.await("updated: ready (statefs)", 1)
	r.await("init: health ok (slot b)", 1)
	r.nx("status").want(t, 0, "1.1.0 in slot b, healthy")
	r.nx("shutdown").want(t, 0, "is down")
	if err := r.end(); err != nil {
		t.Error(err)
	}
	if n := count(r.console(), machine.LineNewDisk); n != 0 {
		t.Error("the disk was made anew")
	}
	inOrder(t, m.Disk.File)
}

// inOrder wants a file system without a fault, of the size of the disk, that was unmounted.
func inOrder(t *testing.T, disk string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), e2fs(t, "e2fsck"), "-f", "-n", disk).CombinedOutput()
	if err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
	head, err := exec.CommandContext(t.Context(), e2fs(t, "dumpe2fs"), "-h", disk).CombinedOutput()
	if err != nil || strings.Contains(string(head), "needs_recovery") ||
		!strings.Contains(string(head), "Block count:              10240\n") {
		t.Errorf("dumpe2fs: %v\n%s", err, head)
	}
}

// e2fs is where a program of e2fsprogs is.
func e2fs(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/sbin/" + name)
	}
	kit.Must(t, err)
	return path
}

// debugfs changes a file system that is not mounted.
func debugfs(t *testing.T, disk string, requests ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), e2fs(t, "debugfs"), "-w", "-f", "-", disk)
	cmd.Stdin = strings.NewReader(strings.Join(requests, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
}

// copied is the machine with a copy of its disk.
func copied(t *testing.T, m qemu.Machine) qemu.Machine {
	t.Helper()
	raw, err := os.ReadFile(m.Disk.File)
	kit.Must(t, err)
	m.Disk.File = filepath.Join(t.TempDir(), "disk")
	kit.Must(t, os.WriteFile(m.Disk.File, raw, 0o600))
	return m
}

// A disk on which only the first process finds room starts, keeps what it remembers and counts attempts; only a set
// more does not fit.
func testFullDisk(t *testing.T, m qemu.Machine) {
	m = copied(t, m)
	fill(t, m.Disk.File)
	r := up(t, m)
	for boot, end := range []func(){r.Reset, func() { r.nx("shutdown").want(t, 0, "is down") }} {
		r.await("init: health ok (slot b)", boot+1)
		r.nx("status").want(t, 0, "1.1.0 in slot b, healthy")
		r.nx("stage", "--json", set(m.Arch, "system-v1.0.0.nxs")).want(t, 1, `"reason":"no-space"`)
		end()
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

// fill takes every free block that a daemon may take: the rest is in reserve for root, and 2 % are kept from everybody
// for the kernel (Documentation/ABI/testing/sysfs-fs-ext4, reserved_clusters).
func fill(t *testing.T, disk string) {
	t.Helper()
	head, err := exec.CommandContext(t.Context(), e2fs(t, "dumpe2fs"), "-h", disk).Output()
	kit.Must(t, err)
	number := func(name string) (n int64) {
		_, after, _ := strings.Cut(string(head), name+":")
		if _, err := fmt.Sscan(after, &n); err != nil {
			t.Fatal(name, err)
		}
		return n
	}
	filler := filepath.Join(t.TempDir(), "filler")
	size := (number("Free blocks") - number("Reserved block count") - number("Block count")/50) * statedisk.BlockSize
	kit.Must(t, os.WriteFile(filler, bytes.Repeat([]byte("x"), int(size)), 0o600))
	debugfs(t, disk, "write "+filler+" filler") // it writes what fits
}

// A badDisk is one that cannot be used as it is.
type badDisk struct {
	name  string
	spoil func(t *testing.T, disk string)
	line  string // on the console
	kept  bool   // the disk is as it was
}

func badDisks() []badDisk {
	return []badDisk{
		{"superblock damaged", func(t *testing.T, disk string) { overwrite(t, disk, 1024+0x30, "garbage") },
			"init: fatal: cannot use state disk /dev/vda: its superblock is damaged: the checksum does not match",
			true},
		{"journal damaged", func(t *testing.T, disk string) { overwriteFile(t, disk, "<8>") },
			"init: fatal: cannot use state disk /dev/vda: cannot mount /nexus: ", false},
		{"root directory damaged", func(t *testing.T, disk string) { overwriteFile(t, disk, "/") },
			"init: fatal: cannot use state disk /dev/vda: ", false},
		{"the record's directory damaged", func(t *testing.T, disk string) { overwriteFile(t, disk, "/state/boot") },
			"init: fatal: cannot use state disk /dev/vda: ", false},
		{"somebody else's", strangers,
			"init: fatal: cannot use state disk /dev/vda: it holds a file system of the ext family named \"holidays\", which is not ours", true},
		{"state of a newer layout", newerState,
			"init: fatal: cannot use state in /nexus/state: cannot open state: its layout is version \"2\", not \"1\"",
			false},
	}
}

func (c badDisk) run(t *testing.T, m qemu.Machine) {
	m = copied(t, m)
	c.spoil(t, m.Disk.File)
	before := sum(t, m.Disk.File)
	r := up(t, m)
	r.await(c.line, 1)
	if err := r.end(); err != nil {
		t.Error(err)
	}
	if c.kept && sum(t, m.Disk.File) != before {
		t.Error("the disk was written to")
	}
	for _, line := range r.console() {
		if strings.HasPrefix(line, "updated: ready") {
			t.Error("the system went on without its disk")
		}
	}
}

func sum(t *testing.T, disk string) [sha256.Size]byte {
	t.Helper()
	raw, err := os.ReadFile(disk)
	kit.Must(t, err)
	return sha256.Sum256(raw)
}

func overwrite(t *testing.T, disk string, offset int64, text string) {
	t.Helper()
	f, err := os.OpenFile(disk, os.O_WRONLY, 0)
	kit.Must(t, err)
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), offset); err != nil {
		t.Fatal(err)
	}
}

// overwriteFile puts garbage into the first block of a file.
func overwriteFile(t *testing.T, disk, name string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), e2fs(t, "debugfs"), "-R", "blocks "+name, disk).Output()
	var block int64
	if _, scanErr := fmt.Sscan(string(out), &block); err != nil || scanErr != nil {
		t.Fatal(err, scanErr, string(out))
	}
	overwrite(t, disk, block*statedisk.BlockSize, strings.Repeat("garbage ", statedisk.BlockSize/8))
}

// strangers puts a file system with somebody's files in the place of the disk.
func strangers(t *testing.T, disk string) {
	files := t.TempDir()
	kit.Must(t, os.WriteFile(filepath.Join(files, "beach.jpg"), []byte("sand"), 0o600))
	if out, err := exec.CommandContext(t.Context(), e2fs(t, "mke2fs"), "-q", "-F", "-t", "ext4", "-L", "holidays", "-d",
		files, disk).CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
}

// newerState is the state folder as a later version may have it: with another version, as a value of
// libupdates/statefs.
func newerState(t *testing.T, disk string) {
	const name, value = "statefs", "2"
	length := func(text string) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(len(text))) }
	head := append([]byte("nxstate1"), length(value)...)
	digest := sha256.Sum256(slices.Concat(head, length(name), []byte(name+value)))
	file := filepath.Join(t.TempDir(), name)
	kit.Must(t, os.WriteFile(file, slices.Concat(head, digest[:], []byte(value)), 0o600))
	debugfs(t, disk, "rm /state/statefs", "write "+file+" /state/statefs")
}
