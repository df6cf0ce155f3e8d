package testscripts

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"nexus/selftest/demo"
)

// The disk of TestFullDisk: room for two demo sets and a half, and for their files.
const (
	smallDisk  = 12 << 20 // bytes
	smallFiles = 128
)

// smallDir is a folder on a disk of its own, of that many bytes.
func smallDir(t *testing.T, size int) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it mounts a small disk")
	}
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV,
		fmt.Sprintf("size=%d,nr_inodes=%d,mode=0755", size, smallFiles))
	if errors.Is(err, syscall.EPERM) {
		t.Skip("needs to mount a small disk, and may not")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDisk fills the system's disk to the last byte and the last inode, and has every daemon die on it. PID 1 and
// whoever was not struck live on, nothing is half there, and once there is room again the next update goes through.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	r := newCrashRig(t, smallDir(t, smallDisk))

	free := r.fill()
	if end := r.nx("stage", setFile(newVersion)); end.exit != 1 || end.reason != "no-space" {
		t.Errorf("a stage on a full disk: %+v, want no-space", end)
	}
	for _, daemon := range coreDaemons {
		c := cell{daemon: daemon, crash: crashes[0]}
		before := r.daemons()
		r.strike(c)
		r.awaitQuiet(c, before)
		r.wantOnly(c, before)
	}
	if end := r.nx("stage", setFile(newVersion)); end.exit != 1 || end.reason != "no-space" {
		t.Errorf("a stage on a full disk, after every daemon died: %+v, want no-space", end)
	}
	if r.state.version("a") != oldVersion || r.state.version("b") != "" || r.receiving() {
		t.Errorf("the disk was full, and the slots are %+v", r.state.Slots)
	}
	r.wantWhole()
	free()

	r.must("stage", setFile(newVersion))
	free = r.fill()
	before := r.daemons()
	end := r.nx("switch")
	c := cell{daemon: "updated", crash: crashes[0]}
	r.strike(c)
	free()
	r.awaitQuiet(c, before)
	oldOrNew(r, end)
	r.wantWhole()
	r.wantOnly(c, before)
	r.wantNextUpdate()
}

// TestFullDiskForApps has no room for an app, and for the next version of one: both are refused, nothing is left of
// them, and what ran before goes on.
func TestFullDiskForApps(t *testing.T) {
	t.Parallel()
	r := newCrashRig(t, smallDir(t, 2*smallDisk))
	r.must("trust", "add", "--role", "apps", filepath.Join(shared.demo(), "keys", "apps.pub"))

	for _, c := range []struct{ verb, version, before string }{
		{"install", oldVersion, ""}, {"upgrade", newVersion, oldVersion},
	} {
		step := appStep{installed: c.before, verb: c.verb, version: c.version}
		left := r.left()
		free := r.fill()
		if end := r.nx(c.verb, appFile(c.version)); end.exit != 1 || end.reason != "no-space" {
			t.Errorf("an %s on a full disk: %+v, want no-space", c.verb, end)
		}
		if now := step.quiet(r); now.runs() != c.before {
			t.Errorf("after an %s that failed %q runs, want %q", c.verb, now.runs(), c.before)
		}
		free()
		if now := r.left(); now != left {
			t.Errorf("an %s on a full disk leaves %d bytes", c.verb, left-now)
		}
		r.must(c.verb, appFile(c.version))
		r.wantSlots("system/apps/"+demo.App, step.quiet(r).systemState, appFile)
	}
}

// fill takes every byte and every inode of the disk; free gives them back.
func (r *crashRig) fill() (free func()) {
	r.t.Helper()
	dir := r.at("ballast")
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := fillBytes(filepath.Join(dir, "bytes")); !errors.Is(err, syscall.ENOSPC) {
		r.t.Fatalf("cannot fill the disk: %v", err)
	}
	for n := range smallFiles {
		err := os.WriteFile(filepath.Join(dir, strconv.Itoa(n)), nil, 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return func() {
		if err := os.RemoveAll(dir); err != nil {
			r.t.Fatal(err)
		}
	}
}

// fillBytes writes a file until there is no room for another byte of it.
func fillBytes(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 20; ; {
		n, err := f.Write(make([]byte, size))
		if err != nil && n == 0 {
			if size == 1 {
				return err
			}
			size = max(1, size/16)
		}
	}
}

// TestFullDiskForData updates to sets with a data bundle for which there is no room. One that cannot be staged is
// refused; one whose tree cannot be unpacked does not get through its trial. Nothing is left of either, and what ran
// before goes on.
func TestFullDiskForData(t *testing.T) {
	t.Parallel()
	r := newCrashRig(t, smallDir(t, smallDisk), "--health-deadline", "3s", "--tries", "1")
	policy := filepath.Join(t.TempDir(), "policy.toml")
	rule := "[[allow]]\npublisher = \"*\"\nbundle = \"*\"\npowers = [\"data:*\"]\n"
	if err := os.WriteFile(policy, []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	r.must("policy", "set", policy)
	before := r.left()

	end := r.nx("update", dataSet(t, smallDisk))
	if end.exit != 1 || end.reason != "no-space" {
		t.Errorf("data for which there is no room: %+v, want no-space", end)
	}
	if left := r.left(); left != before {
		t.Errorf("%d bytes are left, and %d were", left, before)
	}
	end = r.nx("update", dataSet(t, before*2/3)) // its program is one that the disk has already
	if end.reason != "hindered" || !strings.HasSuffix(end.text, "there is no space to unpack the data of pages") {
		t.Errorf("data whose tree does not fit: %+v, want hindered", end)
	}
	r.eventually("nothing to be left of the tree", func() bool { // the last attempt at it may still be ending
		trees, err := os.ReadDir(r.at("trees"))
		return err == nil && len(trees) == 0
	})
	r.must("update", dataSet(t, 0))
}

// left is how much room there is on the disk of a system.
func (r *crashRig) left() int64 {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(r.dir, &disk); err != nil {
		r.t.Fatal(err)
	}
	return int64(disk.Bavail) * disk.Bsize
}

// dataSet packs a service of the demo with a data bundle of that many bytes, which it reads.
func dataSet(t *testing.T, size int64) string {
	t.Helper()
	dir := t.TempDir()
	p := demo.Packer{Bin: shared.bin(), Key: filepath.Join(shared.demo(), "keys", "demo")}
	in, set, pages := filepath.Join(dir, "in"), filepath.Join(dir, "system.nxs"), filepath.Join(dir, "pages")
	service := demo.Manifest{Name: "reader", Version: newVersion, Abilities: demo.Plain, Caps: `"data:pages"`}
	err := errors.Join(os.Mkdir(pages, 0o755), os.WriteFile(filepath.Join(pages, "page"),
		bytes.Repeat([]byte("x"), int(size)), 0o600),
		p.Bundle(service, filepath.Join(shared.demo(), "work", "1.0.0", "ticker"), in),
		p.Tree("pages", newVersion, pages, in), p.Set(in, newVersion, set))
	if err != nil {
		t.Fatal(err)
	}
	return set
}
