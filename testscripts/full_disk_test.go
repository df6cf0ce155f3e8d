package testscripts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// The disk of TestFullDisk: room for two demo sets and a half, and for their files.
const (
	smallDisk  = 12 << 20 // bytes
	smallFiles = 128
)

// smallDir is a folder on a disk of its own.
func smallDir(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it mounts a small disk")
	}
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV,
		fmt.Sprintf("size=%d,nr_inodes=%d,mode=0755", smallDisk, smallFiles))
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
	r := newCrashRig(t, smallDir(t))

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
