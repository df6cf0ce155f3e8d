package damage

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nexus/selftest/demo"
	"nexus/selftest/kit"
)

var (
	whole = flag.Bool("whole", false, "run all cells, not a sample")
	cells = flag.String("cell", "", "run the cells whose names begin so, and show their consoles")
	size  = flag.Int("sample", 24, "about how many cells a sample has")
	bound = flag.Duration("bound", 20*time.Second, "how long a system may be silent before it counts as never up")
)

// TestCells runs cells on the real system, several at a time, and one with a judge who is told a wrong set.
func TestCells(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes, and many of them")
	}
	c := Campaign{bin: t.TempDir(), demo: t.TempDir(), bound: *bound}
	kit.Must(t, errors.Join(demo.Build(c.bin), demo.Make(c.bin, c.demo, runtime.GOARCH, io.Discard)))
	c.dir = t.TempDir()
	for dir := c.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // an ordinary user's systems are in it
			t.Fatal(err)
		}
	}
	c.prepare(t)
	t.Run("finds", func(t *testing.T) { finds(t, c) })
	chosen := choose(t, c)
	tally, mu := Tally{}, sync.Mutex{}
	t.Run("all", func(t *testing.T) {
		for n, cell := range chosen {
			t.Run(cell.String(), func(t *testing.T) {
				t.Parallel()
				r := c.cell(t, cell, filepath.Join("cells", fmt.Sprint(n)))
				mu.Lock()
				defer mu.Unlock()
				tally.add(*r)
				t.Log(r.Outcome)
				for _, wrong := range r.Wrong {
					t.Errorf("VIOLATION %s", wrong)
				}
				if *cells != "" || t.Failed() {
					t.Log(strings.Join(r.Console, "\n"))
				}
			})
		}
	})
	t.Logf("\n%s", tally.table())
}

// choose returns the cells that are asked for.
func choose(t *testing.T, c Campaign) []Cell {
	all := c.cells(t)
	switch {
	case *cells != "":
		all = slices.DeleteFunc(all, func(cell Cell) bool { return !strings.HasPrefix(cell.String(), *cells) })
	case !*whole:
		all = sample(all, *size)
	}
	if len(all) == 0 {
		t.Fatalf("there is no cell %q", *cells)
	}
	return all
}

// finds has a cell judged by one who takes the healthy set for one below the version floor.
func finds(t *testing.T, c Campaign) {
	set := *c.byVersion(activeSet)
	set.Version = oldSet
	c.sets = append(c.sets[:0:0], &set, c.byVersion(otherSet), c.byVersion(activeSet))
	u := users()[0]
	r := c.cell(t, Cell{User: u, Time: atRest, Path: "state/statefs", Way: ways()[0]}, "wrong")
	if len(r.Wrong) == 0 || !strings.Contains(r.Wrong[0], "below the version floor") {
		t.Errorf("found %q, want a set below the floor", r.Wrong)
	}
}

// TestWays does each damage to a file, a folder and a link, and wants it done, or nothing changed and that said.
func TestWays(t *testing.T) {
	for _, way := range ways() {
		for _, kind := range []fs.FileMode{0, fs.ModeDir, fs.ModeSymlink} {
			t.Run(way.Name+" "+kind.String(), func(t *testing.T) {
				target := planted(t, kind)
				t.Cleanup(func() { remove(filepath.Dir(target.Path)) }) // a folder of mode 000, too
				before, err := kit.FingerprintOf(filepath.Dir(target.Path))
				kit.Must(t, err)
				changed, err := way.Do(target)
				kit.Must(t, err)
				after, err := kit.FingerprintOf(filepath.Dir(target.Path))
				if found := before.Changes(after); err == nil && changed != (len(found) > 0) {
					t.Errorf("it says changed: %t, and changed is %q", changed, found)
				}
			})
		}
	}
}

// planted makes something of that kind, and older stands of it.
func planted(t *testing.T, kind fs.FileMode) Target {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	target := Target{Path: at("system/it"), Aside: at("aside"), Older: at("older"), First: at("first")}
	check := func(err error) {
		kit.Must(t, err)
	}
	check(os.Mkdir(filepath.Dir(target.Path), 0o755))
	for _, place := range []string{target.Path, target.Older, target.First} {
		switch kind {
		case fs.ModeDir:
			check(os.MkdirAll(filepath.Join(place, filepath.Base(place), "x"), 0o755))
		case fs.ModeSymlink:
			check(os.Symlink(filepath.Base(place)+"-target", place))
		default:
			check(os.WriteFile(place, []byte(place), 0o600))
		}
	}
	return target
}
