package plat_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nexus/daemons/plat"
	"nexus/libupdates/bundlestate"
	"nexus/libupdates/updatestest"
)

// imageDir is a folder for images, or skips where this machine has no mounts or loop devices.
func imageDir(t *testing.T) (dir *os.File, target string) {
	t.Helper()
	if err := plat.CanMountImages(); err != nil {
		t.Skip("images cannot be mounted here: ", err)
	}
	path := updatestest.TempDir(t)
	dir, err := plat.OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	target = filepath.Join(path, "at")
	t.Cleanup(func() { plat.Detach(target) })
	return dir, target
}

func makeImage(t *testing.T, dir *os.File) {
	t.Helper()
	f, err := plat.OpenFileAt(dir, "image", 0o600)
	if err == nil {
		err = errors.Join(f.Truncate(bundlestate.ImageSize), bundlestate.WriteImage(f), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mount(t *testing.T, dir *os.File, name, target string, quota int64) string {
	t.Helper()
	tree, err := plat.MountImage(dir, name, target, quota, uint32(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// fill writes until the kernel refuses, and returns how much it took and why it ended.
func fill(t *testing.T, name string, most int64) (size int64, err error) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for size < most {
		n, err := f.Write(block)
		if size += int64(n); err != nil {
			return size, err
		}
	}
	return size, f.Sync()
}

// A quota holds, whatever the program writes, and is all there: also where the version after asks for more, or less.
func TestQuotaHolds(t *testing.T) {
	dir, target := imageDir(t)
	const mebi = 1 << 20
	makeImage(t, dir)
	for _, quota := range []int64{mebi, 40 * mebi, 8 * mebi, 300 * mebi} {
		t.Run(fmt.Sprint(quota/mebi), func(t *testing.T) {
			tree := mount(t, dir, "image", target, quota)
			size, err := fill(t, filepath.Join(tree, "file"), 2*quota)
			if !errors.Is(err, syscall.ENOSPC) || size < quota-quota/50-128<<10 || size > quota+128<<10 {
				t.Errorf("with a quota of %d: %d bytes were written, then %v", quota, size, err)
			}
			if err := os.Remove(filepath.Join(tree, "file")); err != nil {
				t.Error(err)
			}
			if err := plat.Detach(target); err != nil {
				t.Error(err)
			}
		})
	}
	tree := mount(t, dir, "image", target, mebi)
	if tree2 := mount(t, dir, "image", target, mebi); tree2 != tree {
		t.Errorf("mounted again it is at %s", tree2)
	}
}

// The number of files is bounded too.
func TestFilesAreBounded(t *testing.T) {
	dir, target := imageDir(t)
	makeImage(t, dir)
	tree := mount(t, dir, "image", target, 8<<20)
	for i := range 1_000_000 {
		f, err := os.Create(filepath.Join(tree, fmt.Sprint(i)))
		if errors.Is(err, syscall.ENOSPC) {
			if i < 1000 {
				t.Errorf("only %d files fit", i)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	t.Error("a million files fit")
}

// A copy of an image that is in use is whole, and both are mounted side by side.
func TestCopyOfAnImage(t *testing.T) {
	dir, target := imageDir(t)
	makeImage(t, dir)
	tree := mount(t, dir, "image", target, 8<<20)
	held, err := os.Create(filepath.Join(tree, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	held.WriteString("before")
	if err := plat.WhileQuiet(target, func() error { return plat.Clone(dir, "image", dir, "copy") }); err != nil {
		t.Fatal(err)
	}
	held.WriteString(" and after")
	beside := target + "2"
	t.Cleanup(func() { plat.Detach(beside) })
	for at, want := range map[string]string{
		mount(t, dir, "copy", beside, 8<<20):  "before",
		mount(t, dir, "image", target, 8<<20): "before and after",
	} {
		if got, err := os.ReadFile(filepath.Join(at, "file")); string(got) != want {
			t.Errorf("%s holds %q, %v, want %q", at, got, err, want)
		}
	}
}

// Nothing is copied of what may change meanwhile.
func TestNothingIsDoneWithAnImageThatStays(t *testing.T) {
	err := plat.WhileQuiet(strings.Repeat("x", syscall.PathMax), func() error {
		t.Error("it may still be mounted")
		return nil
	})
	if !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Errorf("got %v", err)
	}
}
