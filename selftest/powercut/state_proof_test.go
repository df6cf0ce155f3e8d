package powercut

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/bundlestate"
	"nexus/selftest/kit"
)

// generation is the name of one that a version began in a trial.
func generation(of byte, trial uint64) string {
	return bundlestate.Generation{Of: bundlestate.Identity{of}, Trial: trial}.String()
}

// TestWhatEachVersionFinds has the system's own code choose between generations, as a start does.
func TestWhatEachVersionFinds(t *testing.T) {
	trial := bundlestate.Want{Runs: bundlestate.Identity{4}, Returns: true, Back: bundlestate.Identity{2}, Trial: 5}
	for _, c := range []struct {
		name       string
		there      map[string]string
		want       bundlestate.Want
		runs, back []string
	}{
		{"nothing kept", nil, bundlestate.Want{Runs: bundlestate.Identity{2}}, []string{}, nil},
		{"a set without the bundle", map[string]string{generation(2, 1): second}, bundlestate.Want{}, nil, nil},
		{"before the copy", map[string]string{generation(2, 1): second, ".new": broken}, trial, []string{second},
			[]string{second}},
		{"in the trial", map[string]string{generation(2, 1): second, generation(4, 5): second + "\n" + broken}, trial,
			[]string{second, broken}, []string{second}},
		{"what another trial left", map[string]string{generation(2, 1): second, generation(4, 3): broken}, trial,
			[]string{second}, []string{second}},
		{"after the rollback", map[string]string{generation(2, 1): second, generation(4, 5): second + "\n" + broken},
			bundlestate.Want{Runs: bundlestate.Identity{2}}, []string{second}, nil},
		{"the state before is gone", map[string]string{generation(4, 5): second + "\n" + broken}, trial,
			[]string{second, broken}, []string{second, broken}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, lines := range c.there {
				kit.Must(t, os.MkdirAll(filepath.Join(dir, counter), 0o700))
				kit.Must(t, os.WriteFile(filepath.Join(dir, counter, name), []byte(lines+"\n"), 0o600))
			}
			runs, back, err := shownIn(dir, c.want)
			if err != nil || !reflect.DeepEqual(runs, c.runs) || !reflect.DeepEqual(back, c.back) {
				t.Errorf("got %q and %q, %v; want %q and %q", runs, back, err, c.runs, c.back)
			}
		})
	}
}

// TestOwnStateCanBeMissed has a state that violates each part of what must hold of it.
func TestOwnStateCanBeMissed(t *testing.T) {
	kept := map[string][]string{second: {second}}
	for _, c := range []struct {
		name    string
		states  map[string][]string
		mayFail bool
		want    string
	}{
		{"what was acknowledged", map[string][]string{second: {second}}, false, ""},
		{"one more start", map[string][]string{second: {second, second}}, false, ""},
		{"a copy in a trial", map[string][]string{second: {second}, broken: {second, broken}}, false, ""},
		{"a copy that is not used yet", map[string][]string{third: {second}}, false, ""},
		{"no bundle", nil, false, ""},
		{"empty", map[string][]string{second: {}}, false, `the state of 1.1.0 is [], and ["1.1.0"] was acknowledged`},
		{"not copied", map[string][]string{third: {third}}, false, `["1.1.0"] was acknowledged`},
		{"of the set that was rolled back", map[string][]string{second: {second, broken}}, false,
			"1.2.0 has no part in it"},
		{"kept for the rollback, but used", map[string][]string{second: {second, third}, third: {second, third}}, false,
			"1.3.0 has no part in it"},
		{"of another trial", map[string][]string{third: {second, broken, third}}, false, "1.2.0 has no part in it"},
		{"of any good set", map[string][]string{second: {second, third, second}}, true, ""},
		{"of the bad set, after any", map[string][]string{second: {second, broken}}, true, "1.2.0 has no part in it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := promise{sets: madeUp(), mayFail: c.mayFail}
			was := stand{Active: second, Kept: kept}
			if c.mayFail {
				was.Kept = nil
			}
			err := p.ownStates(c.states, was)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// madeImage makes an image in which a program has kept its starts.
func madeImage(t *testing.T, dir, lines string) string {
	t.Helper()
	image, starts := filepath.Join(dir, "made"), filepath.Join(dir, "starts")
	f, err := os.Create(image)
	kit.Must(t, err)
	kit.Must(t, errors.Join(f.Truncate(bundlestate.ImageSize), bundlestate.WriteImage(f), f.Close()))
	kit.Must(t, os.WriteFile(starts, []byte(lines), 0o600))
	edit(t, image, "mkdir /state", "write "+starts+" /state/starts")
	return image
}

// edit has debugfs change a file system.
func edit(t *testing.T, disk string, requests ...string) {
	t.Helper()
	for _, request := range requests {
		_, err := runTool("debugfs", 0, "-w", "-R", request, disk)
		kit.Must(t, err)
	}
}

// makeDisk makes an empty file system in a file.
func makeDisk(t *testing.T, disk string) {
	t.Helper()
	for _, tool := range []string{"mke2fs", "e2fsck", "debugfs"} {
		if _, err := exec.LookPath(tool); err != nil {
			if _, err := os.Stat("/sbin/" + tool); err != nil {
				t.Skip("no ", tool, " on this machine: ", err)
			}
		}
	}
	kit.Must(t, os.WriteFile(disk, nil, 0o600))
	kit.Must(t, os.Truncate(disk, diskSize))
	_, err := runTool("mke2fs", 0, "-q", "-F", "-t", "ext4", "-b", "4096", disk)
	kit.Must(t, err)
}

// TestReadStates reads images from a disk, and finds one that is not sound.
func TestReadStates(t *testing.T) {
	dir := t.TempDir()
	disk, root := filepath.Join(dir, "disk"), filepath.Join(dir, "root")
	makeDisk(t, disk)
	if states, err := readStates(disk, dir); err != nil || len(states) > 0 {
		t.Errorf("on a disk without states: %q, %v", states, err)
	}
	image, whole, half := madeImage(t, dir, second+"\n"), generation(2, 1), generation(4, 5)
	edit(t, disk, "mkdir /bundles", "mkdir "+statesAt, "write "+image+" "+statesAt+"/"+whole,
		"write "+os.DevNull+" "+statesAt+"/.new")
	states, err := readStates(disk, dir)
	if err != nil || len(states) != 1 || states[whole] != second+"\n" {
		t.Fatalf("got %q, %v", states, err)
	}
	kit.Must(t, os.Mkdir(root, 0o700))
	_, err = runTool("debugfs", 0, "-R", "rdump / "+root, disk)
	kit.Must(t, errors.Join(err, putStates(root, states)))
	names, err := filepath.Glob(filepath.Join(root, statesAt, "*"))
	names = slices.DeleteFunc(names, func(name string) bool { return filepath.Base(name) == ".new" })
	if err != nil || len(names) != 1 || filepath.Base(names[0]) != whole {
		t.Errorf("found %q, %v", names, err)
	}

	edit(t, image, "clri <2>") // the root of its tree
	edit(t, disk, "write "+image+" "+statesAt+"/"+half)
	if _, err := readStates(disk, dir); err == nil || !strings.Contains(err.Error(), half) {
		t.Errorf("a damaged image: %v", err)
	}
}
