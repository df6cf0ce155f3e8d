package slots_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

// benchArchive returns a set of four bundles of 8 MiB each.
func benchArchive(b *testing.B) []byte {
	key := updatestest.Key(1)
	var made []updatestest.Made
	for i, name := range []string{"a", "b", "c", "d"} {
		payload := bytes.Repeat([]byte{byte(i + 1)}, 8<<20)
		made = append(made, updatestest.Bundle(name, "1.0.0", nil, payload, key))
	}
	return updatestest.Archive(b, key, "1.0.0", made...)
}

// BenchmarkStageToCopy stages a set on a real disk and compares it, in the same run, with what a script would do: one
// digest over the bytes, one plain copy to a new file, one sync. It reports the median of the ratios. Ratios below 1
// are possible, because a stage reserves its space first.
func BenchmarkStageToCopy(b *testing.B) {
	raw := benchArchive(b)
	b.SetBytes(int64(len(raw)))
	var ratios []float64
	for b.Loop() {
		plain := timed(func() { digestAndCopy(b, raw) })
		ours := timed(func() { stageOnce(b, raw) })
		ratios = append(ratios, float64(ours)/float64(plain))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-copy")
}

// BenchmarkStageFile stages a file of 24 bundles of 10 MiB each on a real disk, as `updated` does with a file that was
// passed to it. For profiles.
func BenchmarkStageFile(b *testing.B) {
	key := updatestest.Key(1)
	var made []updatestest.Made
	for i := range 24 {
		name := string(rune('a' + i))
		made = append(made, updatestest.Bundle(name, "1.0.0", nil, bytes.Repeat([]byte(name), 10<<20), key))
	}
	name := filepath.Join(b.TempDir(), "set.nxs")
	if err := os.WriteFile(name, updatestest.Archive(b, key, "1.0.0", made...), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	limits := nxs.DefaultLimits()
	limits.Archive = info.Size()
	b.SetBytes(info.Size())
	for b.Loop() {
		dir := b.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := open(b, durable.OS(root)).StageFile(context.Background(), bootctl.A, f, info.Size(), limits,
			verify, slots.StageOptions{}); err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(root.Close(), os.RemoveAll(dir)); err != nil {
			b.Fatal(err)
		}
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func digestAndCopy(b *testing.B, raw []byte) {
	f, err := os.Create(filepath.Join(b.TempDir(), "copy"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(io.MultiWriter(f, sha256.New()), bytes.NewReader(raw)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
}

func stageOnce(b *testing.B, raw []byte) {
	root, err := os.OpenRoot(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	store := open(b, durable.OS(root))
	reader := nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), verify)
	if _, err := store.Stage(context.Background(), bootctl.A, reader, slots.StageOptions{}); err != nil {
		b.Fatal(err)
	}
}
