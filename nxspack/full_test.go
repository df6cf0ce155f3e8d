package nxspack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"nexus/libupdates/trust"
)

// A fullDisk is a file whose disk is full at one write; half of that write still succeeds. Then there is space again,
// so that only this failure can be the one that is reported.
type fullDisk struct {
	*os.File
	left *atomic.Int64 // writes before that one
}

func (d fullDisk) WriteAt(p []byte, off int64) (int, error) {
	if d.left.Add(-1) != -1 {
		return d.File.WriteAt(p, off)
	}
	n, err := d.File.WriteAt(p[:len(p)/2], off)
	return n, errors.Join(err, &fs.PathError{Op: "write", Path: d.Name(), Err: syscall.ENOSPC})
}

// On a file system that reserves nothing, any write of a set may find the disk full: the old set stays, nothing else is
// left, and the reason is exact.
func TestNoSpaceAtEveryWrite(t *testing.T) {
	payloads := ends()[3:11]
	folder, key := bundles(t, payloads...)
	for _, direct := range []bool{true, false} {
		dir := t.TempDir()
		target := filepath.Join(dir, "set.nxs")
		if err := os.WriteFile(target, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		writes := 0
		for {
			err := publishFile(target, func(f *os.File) error {
				set := prepare(t, folder, key)
				out, err := newOutput(f, set.size())
				if err != nil {
					return err
				}
				left := new(atomic.Int64)
				left.Store(int64(writes))
				out.cached = fullDisk{f, left}
				if file, ok := out.direct.(*os.File); ok && direct {
					out.direct = fullDisk{file, left}
				} else {
					out.Close()
					out.direct = nil
				}
				return set.writeTo(t.Context(), out)
			})
			if err == nil {
				break
			}
			if want := "write " + target + ": no space left on device"; err.Error() != want {
				t.Fatalf("write %d: got %v, want %s", writes, err, want)
			}
			wantLeft(t, target, "before")
			writes++
		}
		if writes < 2*len(payloads) {
			t.Errorf("direct %v: only %d writes were tried", direct, writes)
		}
		t.Logf("direct %v: %d writes", direct, writes)
	}
}

// wantLeft checks that a file is unchanged and alone in its folder.
func wantLeft(t *testing.T, target, want string) {
	t.Helper()
	if got, err := os.ReadFile(target); err != nil || string(got) != want {
		t.Fatalf("it is %.20q, %v", got, err)
	}
	if left := names(t, filepath.Dir(target)); len(left) != 1 {
		t.Fatalf("it left %v", left)
	}
}

// On disks of any size, down to none, each command that writes either completes, or reports that there is no space and
// leaves nothing.
func TestDisksOfEverySize(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot mount small disks to fill")
	}
	work, payload := t.TempDir(), bytes.Repeat([]byte("program "), 5000)
	in := func(name string) string { return filepath.Join(work, name) }
	for name, text := range map[string]string{
		"key": trust.SeedText([32]byte{}), "program": string(payload),
		"manifest.toml": "name = \"a\"\nversion = \"1.0.0\"\n", "set.toml": "system_version = \"1.0.0\"\n",
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	public := trust.NewSigner([32]byte{}).Public().Text()
	if err := errors.Join(os.Mkdir(in("bundles"), 0o700), os.Mkdir(in("disk"), 0o700)); err != nil {
		t.Fatal(err)
	}
	mustRun(t, RunBundlePacker, "--key", in("key"), in("program"), in("bundles/a.nxb"))
	mustRun(t, RunSetPacker, "--input", in("bundles"), "--meta", in("set.toml"), "--key", in("key"), "--output",
		in("set.nxs"))

	for _, c := range []struct {
		name   string
		packer packer
		args   []string
		fails  string // how what it says begins
		pages  int    // fewest that it needs
	}{
		{"pack", RunSetPacker, []string{"--input", in("bundles"), "--meta", in("set.toml"), "--key", in("key"),
			"--output", in("disk/set.nxs")}, "nxs-pack: cannot pack ", 10},
		{"bundle", RunBundlePacker, []string{"--key", in("key"), in("program"), in("disk/b.nxb")},
			"nxb-pack: cannot write ", 10},
		{"extract", RunSetPacker, []string{"extract", "--trust", public, "--output", in("disk/set"), in("set.nxs")},
			"nxs-pack: cannot extract ", 10},
		{"keygen", RunSetPacker, []string{"keygen", "--output", in("disk/key")}, "nxs-pack: cannot write key ", 2},
	} {
		failed := 0
		for pages := 1; ; pages++ {
			if done := onDisk(t, in("disk"), pages, c.packer, c.fails, c.args); done {
				break
			}
			failed++
		}
		if failed+1 < c.pages {
			t.Errorf("%s: %d pages were enough, it needs at least %d", c.name, failed+1, c.pages)
		}
	}
}

// onDisk runs a packer on a disk of that many pages, and reports whether it succeeded.
func onDisk(t *testing.T, dir string, pages int, run packer, fails string, args []string) bool {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", pages*os.Getpagesize())); err != nil {
		t.Skip("cannot mount small disks to fill: ", err)
	}
	defer syscall.Unmount(dir, 0)
	var stdout, stderr bytes.Buffer
	if run(t.Context(), args, &stdout, &stderr) == 0 {
		return true
	}
	if !strings.HasPrefix(stderr.String(), fails) ||
		!strings.HasSuffix(strings.SplitN(stderr.String(), "\n", 2)[0], ": no space left on device") {
		t.Fatalf("with %d pages: %q", pages, &stderr)
	}
	if left := names(t, dir); len(left) != 0 {
		t.Fatalf("with %d pages it left %v", pages, left)
	}
	return false
}

// A packer is RunSetPacker or RunBundlePacker.
type packer func(ctx context.Context, args []string, stdout, stderr io.Writer) int

func mustRun(t *testing.T, run packer, args ...string) {
	t.Helper()
	var stderr bytes.Buffer
	if run(t.Context(), args, io.Discard, &stderr) != 0 {
		t.Fatal(&stderr)
	}
}
