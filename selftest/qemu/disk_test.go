package qemu

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nexus/selftest/kit"
)

func TestMakeDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "disk")
	kit.Must(t, MakeDisk(file, 1<<30))
	info, err := os.Stat(file)
	kit.Must(t, err)
	if stat, ok := info.Sys().(*syscall.Stat_t); info.Size() != 1<<30 || ok && stat.Blocks != 0 {
		t.Errorf("%d bytes, of which %d sectors are taken", info.Size(), stat.Blocks)
	}
	kit.Must(t, os.WriteFile(file, []byte("state"), 0o600))
	kit.Must(t, MakeDisk(file, 1<<30))
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "state" {
		t.Errorf("what was there is now %q, %v", raw, err)
	}
	if err := MakeDisk(filepath.Join(file, "disk"), 1<<30); err == nil ||
		!strings.HasPrefix(err.Error(), "cannot make disk: ") {
		t.Errorf("got %v", err)
	}
}

func TestDiskArguments(t *testing.T) {
	if args := (Disk{}).args(); args != nil {
		t.Errorf("a machine without a disk has %q", args)
	}
	for _, c := range []struct {
		disk Disk
		want string
	}{
		{Disk{File: "a,b"}, "cache=writeback,discard=unmap,detect-zeroes=unmap,format=raw,file=a,,b"},
		{Disk{File: "a", Cache: "none"}, "cache=none,"},
		{Disk{File: "a", Log: "l"}, "driver=blklogwrites,"},
	} {
		if args := strings.Join(c.disk.args(), " "); !strings.Contains(args, c.want) ||
			!strings.HasSuffix(args, "serial=nexus-state") {
			t.Errorf("%+v: got %s", c.disk, args)
		}
	}
}
