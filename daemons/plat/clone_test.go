package plat_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/updatestest"
)

func folder(t testing.TB, path string) *os.File {
	t.Helper()
	dir, err := plat.OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// stat returns what the kernel says of a name, links not followed.
func stat(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t)
}

// A copy has the bytes, holes, modes, times, links and hard links of what it is a copy of, and nothing else.
func TestClone(t *testing.T) {
	base := updatestest.TempDir(t)
	from := filepath.Join(base, "from")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(from, "a", "b"), 0o700))
	must(os.WriteFile(filepath.Join(from, "a", "file"), bytes.Repeat([]byte("x"), 300<<10), 0o640))
	must(os.Link(filepath.Join(from, "a", "file"), filepath.Join(from, "same")))
	must(os.Symlink("/etc/passwd", filepath.Join(from, "link")))
	must(syscall.Mkfifo(filepath.Join(from, "pipe"), 0o600))
	must(os.WriteFile(filepath.Join(from, "empty"), nil, 0o400))
	sparse, err := os.Create(filepath.Join(from, "sparse"))
	must(err)
	_, err = sparse.WriteAt([]byte("end"), 64<<20)
	must(err)
	must(sparse.Close())
	long := time.Unix(1_000_000_000, 0)
	must(os.Chtimes(filepath.Join(from, "a", "file"), long, long))

	dir := folder(t, base)
	must(plat.Clone(dir, "from", dir, "to"))
	to := filepath.Join(base, "to")
	for _, name := range []string{"a/file", "same", "empty", "sparse"} {
		want, err := os.ReadFile(filepath.Join(from, name))
		must(err)
		got, err := os.ReadFile(filepath.Join(to, name))
		was, is := stat(t, filepath.Join(from, name)), stat(t, filepath.Join(to, name))
		if err != nil || !bytes.Equal(got, want) || is.Mode != was.Mode || is.Mtim != was.Mtim || is.Uid != was.Uid {
			t.Errorf("%s: %v, %+v, want %+v", name, err, is, was)
		}
	}
	if stat(t, filepath.Join(to, "a/file")).Ino != stat(t, filepath.Join(to, "same")).Ino {
		t.Error("two names of one file are two files")
	}
	if blocks := stat(t, filepath.Join(to, "sparse")).Blocks; blocks > 2048 {
		t.Errorf("the hole takes %d blocks", blocks)
	}
	if target, err := os.Readlink(filepath.Join(to, "link")); target != "/etc/passwd" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	if _, err := os.Lstat(filepath.Join(to, "pipe")); !os.IsNotExist(err) {
		t.Errorf("the pipe was copied: %v", err)
	}
	if err := plat.Clone(dir, "from", dir, "to"); err == nil {
		t.Error("a name that is taken was written to")
	}
	deep := filepath.Join(base, "deep", strings.Repeat("d/", 300))
	must(os.MkdirAll(deep, 0o700))
	if err := plat.Clone(dir, "deep", dir, "deeper"); err == nil {
		t.Error("any depth is copied")
	}
}

// A tree that is deeper than one looks costs no descriptor, however often its use is asked for.
func TestDiskUseClosesWhatItOpens(t *testing.T) {
	base := updatestest.TempDir(t)
	if err := os.MkdirAll(filepath.Join(base, "deep", strings.Repeat("d/", 300)), 0o700); err != nil {
		t.Fatal(err)
	}
	dir := folder(t, base)
	before := openFiles(t)
	for range 10 {
		if _, err := plat.DiskUse(dir, "deep"); err != nil {
			t.Fatal(err)
		}
	}
	if after := openFiles(t); after >= before+10 {
		t.Errorf("%d descriptors are open, and %d were before", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// BenchmarkSnapshot copies 64 MiB of state, as the image that it is where the quota holds and as 64 files, beside cp -a
// and sync of the same. NEXUS_BENCH_DIR says on which file system.
func BenchmarkSnapshot(b *testing.B) {
	for _, files := range []int{1, 64} {
		b.Run(fmt.Sprint(files, " files"), func(b *testing.B) { benchmarkSnapshot(b, files) })
	}
}

func benchmarkSnapshot(b *testing.B, files int) {
	base, err := os.MkdirTemp(os.Getenv("NEXUS_BENCH_DIR"), "snapshot")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(base)
	from := filepath.Join(base, "from")
	if err := os.Mkdir(from, 0o700); err != nil {
		b.Fatal(err)
	}
	for i := range files {
		text := bytes.Repeat([]byte{byte(i + 1)}, (64<<20)/files)
		if err := os.WriteFile(filepath.Join(from, fmt.Sprint(i)), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	syscall.Sync()
	dir := folder(b, base)
	var ours, theirs time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := plat.Clone(dir, "from", dir, "ours"); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		copied := exec.Command("sh", "-c", "cp -a --reflink=never from theirs && sync -f theirs")
		copied.Dir = base
		if out, err := copied.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		ours, theirs = ours+middle.Sub(begin), theirs+time.Since(middle)
		os.RemoveAll(filepath.Join(base, "ours"))
		os.RemoveAll(filepath.Join(base, "theirs"))
		syscall.Sync()
	}
	b.ReportMetric(ours.Seconds()*1000/float64(b.N), "ms/snapshot")
	b.ReportMetric(theirs.Seconds()*1000/float64(b.N), "ms/cp")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
}
