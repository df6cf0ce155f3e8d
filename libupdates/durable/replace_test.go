package durable_test

import (
	"errors"
	"io"
	"slices"
	"syscall"
	"testing"

	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

func read(t *testing.T, fs durable.ReadFS, name string) string {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if f.Size() != int64(len(data)) {
		t.Errorf("%s: size is %d, read %d bytes", name, f.Size(), len(data))
	}
	return string(data)
}

func diskWith(t *testing.T, name, data string) *durabletest.Disk {
	t.Helper()
	d := durabletest.New()
	if err := durable.WriteFile(d, name, []byte(data)); err != nil {
		t.Fatal(err)
	}
	return d
}

// A cut after any operation of a replacement, with any outcome, leaves the old bytes or the new ones; once WriteFile
// has returned, the new ones.
func TestWriteFileCutEverywhere(t *testing.T) {
	for _, outcome := range durabletest.Outcomes() {
		t.Run(outcome.Name, func(t *testing.T) {
			for n := 0; ; n++ {
				d := diskWith(t, "file", "old")
				d.CutAfter(n)
				err := durable.WriteFile(d, "file", []byte("new"))
				after := d.Reboot(outcome)
				got := read(t, after, "file")
				if err == nil && got != "new" || got != "old" && got != "new" {
					t.Fatalf("cut after %d operations: got %q, error %v", n, got, err)
				}
				if err := durable.WriteFile(after, "file", []byte("next")); err != nil {
					t.Fatalf("cut after %d operations: the next replacement: %v", n, err)
				}
				if err == nil {
					return
				}
			}
		})
	}
}

func TestWriteFileFailure(t *testing.T) {
	for cause, reason := range map[error]refusal.Reason{syscall.ENOSPC: refusal.NoSpace, syscall.EIO: refusal.IO} {
		for n := 1; ; n++ {
			d := diskWith(t, "file", "old")
			before := d.Snapshot()
			d.FailAt(n, cause)
			err := durable.WriteFile(d, "file", []byte("new"))
			if err == nil {
				break
			}
			if got := refusal.Of(err); got != reason {
				t.Errorf("operation %d fails with %v: got reason %q, want %q", n, cause, got, reason)
			}
			ops := d.Ops()
			if slices.Equal(d.Snapshot(), before) || ops[len(ops)-1] == "syncdir ." {
				continue // the one failure after which the new bytes stand, unsure: making the name durable
			}
			t.Errorf("operation %d fails with %v: %q became %q", n, cause, before, d.Snapshot())
		}
	}
}

func TestNamesStayInside(t *testing.T) {
	d := durabletest.New()
	for _, name := range []string{"", "/etc/passwd", "..", "../x", "a/../b", "a//b", "./a", "a/"} {
		for verb, err := range map[string]error{
			"mkdir":    d.Mkdir(name),
			"remove":   d.RemoveAll(name),
			"rename":   d.Rename("x", name),
			"link to":  d.Symlink(name, "link"),
			"link at":  d.Symlink("target", name),
			"sync":     d.SyncDir(name),
			"validate": durable.CheckName(name),
		} {
			if got := refusal.Of(err); got != refusal.BadPath {
				t.Errorf("%s %q: got reason %q, want %q", verb, name, got, refusal.BadPath)
			}
		}
	}
	if ops := d.Ops(); len(ops) != 0 {
		t.Errorf("a refused name reached the disk: %q", ops)
	}
	if !errors.Is(d.Remove("nothing"), syscall.ENOENT) {
		t.Error("removing nothing is not ENOENT")
	}
}
