package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"nexus/selftest/demo"
)

// TestSample runs a sample of the campaign on the real system, and one cell with a judge who is told a wrong set.
func TestSample(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes, and many of them")
	}
	bin, sets := t.TempDir(), t.TempDir()
	if err := demo.Build(bin); err != nil {
		t.Fatal(err)
	}
	if err := demo.Make(bin, sets, runtime.GOARCH, t.Output()); err != nil {
		t.Fatal(err)
	}
	c := Campaign{Bin: bin, Demo: sets, Jobs: 2, Sample: sampleSize, Bound: 20 * time.Second, Out: t.Output(),
		Tell: t.Output()}
	c.dir = t.TempDir()
	for dir := c.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // an ordinary user's systems are in it
			t.Fatal(err)
		}
	}
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	t.Run("finds", func(t *testing.T) { finds(t, c) })
	cells, err := c.cells()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.all(t.Context(), cells); err != nil {
		t.Error(err)
	}
}

// finds has a cell judged by one who takes the healthy set for one below the version floor.
func finds(t *testing.T, c Campaign) {
	set := *c.byVersion(activeSet)
	set.Version = oldSet
	c.sets = append(c.sets[:0:0], &set, c.byVersion(otherSet), c.byVersion(activeSet))
	u := users()[0]
	r := c.cell(t.Context(), Cell{User: u, Time: atRest, Path: "state/statefs.reserve", Way: ways()[0]}, "wrong")
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
				before, err := fingerprint(filepath.Dir(target.Path))
				if err != nil {
					t.Fatal(err)
				}
				changed, err := way.Do(target)
				if err != nil {
					t.Fatal(err)
				}
				after, err := fingerprint(filepath.Dir(target.Path))
				if found := changes(before, after); err == nil && changed != (len(found) > 0) {
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
		if err != nil {
			t.Fatal(err)
		}
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
