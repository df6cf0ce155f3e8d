package powercut

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/bundlestate"
	"nexus/libupdates/durable"
	"nexus/libupdates/slots"
	"nexus/libupdates/statedisk"
	"nexus/selftest/oracle"
)

// counter is the bundle that keeps state: a line with its version for each start of its program. Its generations are
// images in this folder of the disk.
const (
	counter  = "counter"
	bundles  = "bundles"
	statesAt = "/" + bundles + "/" + counter
	starts   = "starts" // the file of the program
)

// readStates returns the lines in each generation on a disk, by its name. A generation must be sound from the moment it
// has that name; what is still being made or removed has another one, without lines. The images become empty files:
// each is 17 GiB long, and what copies files from the disk would write out its holes.
func readStates(disk, work string) (map[string]string, error) {
	listed, err := runTool("debugfs", 0, "-R", "ls -p "+statesAt, disk)
	if err != nil {
		return nil, err
	}
	states := map[string]string{}
	for line := range strings.Lines(listed) {
		fields := strings.Split(line, "/") // nothing, inode, mode, owner, group, name
		if len(fields) < 6 || fields[5] == "." || fields[5] == ".." {
			continue
		}
		name := fields[5]
		if !strings.HasPrefix(name, ".") {
			if states[name], err = readImage(disk, statesAt+"/"+name, filepath.Join(work, "image")); err != nil {
				return nil, fmt.Errorf("generation %s: %w", name, err)
			}
		}
		if _, err := runTool("debugfs", 0, "-w", "-R", "sif "+statesAt+"/"+name+" size 0", disk); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// extent matches the lines of debugfs about blocks of a file: where they are in it, where on the disk, how many, and
// whether they were never written.
var extent = regexp.MustCompile(`(?m)^ *\d+/ *\d+ +\d+/ *\d+ +(\d+) - +\d+ +(\d+) - +\d+ +(\d+) *(Uninit)?`)

// readImage copies an image from a disk, checks it as a disk is checked, and returns the lines of the program.
func readImage(disk, name, image string) (string, error) {
	extents, err := runTool("debugfs", 0, "-R", "ex -l "+name, disk)
	if err != nil {
		return "", err
	}
	err = copyExtents(disk, image, extent.FindAllStringSubmatch(extents, -1))
	if err := errors.Join(err, os.Truncate(image, bundlestate.ImageSize)); err != nil {
		return "", err
	}
	if _, err := runTool("e2fsck", mended, "-f", "-p", image); err != nil {
		return "", err
	}
	return runTool("debugfs", 0, "-R", "cat /state/"+starts, image)
}

func copyExtents(disk, image string, extents [][]string) error {
	from, err := os.Open(disk)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(image)
	if err != nil {
		return err
	}
	defer to.Close()
	for _, e := range extents {
		var at [3]int64
		for i := range at {
			blocks, err := strconv.ParseInt(e[1+i], 10, 64)
			if err != nil {
				return err
			}
			at[i] = blocks * statedisk.BlockSize
		}
		if e[4] != "" {
			continue // it reads as zeros
		}
		data := io.NewSectionReader(from, at[1], at[2])
		if _, err := io.Copy(io.NewOffsetWriter(to, at[0]), data); err != nil {
			return err
		}
	}
	return nil
}

// putStates puts the lines where their images were, in what was copied from the disk.
func putStates(root string, states map[string]string) error {
	var errs []error
	for name, lines := range states {
		errs = append(errs, os.WriteFile(filepath.Join(root, statesAt, name), []byte(lines), 0o600))
	}
	return errors.Join(errs...)
}

// A textDisk keeps generations as files with the lines of the program.
type textDisk struct{ durable.FS }

// Make makes an empty generation.
func (d textDisk) Make(name string) error {
	f, err := d.Create(name, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Copy copies a generation, which nobody will change.
func (d textDisk) Copy(from, to string) error { return d.Link(from, to) }

// wantOf is what a start makes of the record.
func wantOf(store *slots.Store, r bootctl.Record) (bundlestate.Want, error) {
	var failed error
	identity := func(slot bootctl.Slot) (id bundlestate.Identity) {
		content, err := store.Content(slot)
		failed = errors.Join(failed, err)
		for _, b := range content.Bundles {
			if b.Name == counter {
				id = bundlestate.IdentityOf(b)
			}
		}
		return id
	}
	want := bundlestate.Want{Runs: identity(r.Running())}
	if r.Pending == bootctl.None && r.WatchLeft == 0 {
		return want, failed
	}
	want.Returns, want.Back = true, identity(r.Running().Other())
	if r.Pending != bootctl.None {
		want.Trial = r.StageSerial
	}
	return want, failed
}

// shownIn returns the lines that the version which is to run would find, and those that the one to return to would, as
// the system's own code decides it when an attempt begins. A version that does not have the bundle finds nothing.
func shownIn(dir string, want bundlestate.Want) (runs, back []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	store := bundlestate.Store{Disk: textDisk{durable.OS(root)}}
	kept, err := store.Bundles()
	if err == nil && len(kept) > 0 {
		err = store.Settle(counter, want)
	}
	if err != nil || want.Runs == (bundlestate.Identity{}) {
		return nil, nil, err
	}
	name, err := store.Open(counter, want)
	if err != nil {
		return nil, nil, err
	}
	lines, err := root.ReadFile(name)
	if err != nil || !want.Returns || want.Back == want.Runs || want.Back == (bundlestate.Identity{}) {
		return strings.Fields(string(lines)), nil, err
	}
	if _, kept, err = store.Now(counter, want); err == nil && len(kept) != 1 {
		err = fmt.Errorf("%d states are kept for a rollback, want one", len(kept))
	}
	if err != nil {
		return nil, nil, err
	}
	before, err := root.ReadFile(kept[0])
	return strings.Fields(string(lines)), strings.Fields(string(before)), err
}

// showStates finds out which state each version of the record would find.
func (f *found) showStates(root string, store *slots.Store, r bootctl.Record) error {
	want, err := wantOf(store, r)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, bundles)
	if err := os.MkdirAll(dir, 0o755); err != nil { // a start makes it if it is missing
		return err
	}
	runs, back, err := shownIn(dir, want)
	f.states = map[string][]string{}
	if want.Runs != (bundlestate.Identity{}) {
		f.states[r.Slot(r.Running()).Version] = runs
	}
	if back != nil {
		f.states[r.Slot(r.Running().Other()).Version] = back
	}
	return err
}

// toldStates returns the state of the confirmed version, as an operator gets it.
func (s *session) toldStates(now oracle.State) (map[string][]string, error) {
	set := s.device.sets.Known(now.Active().Digest())
	if set == nil || set.Payloads()[counter] == "" {
		return nil, nil
	}
	v, err := s.Run("state", "export", counter)
	if err != nil {
		return nil, err
	}
	for archive := tar.NewReader(&v.Stdout); ; {
		header, err := archive.Next()
		if err != nil {
			return nil, fmt.Errorf("cannot read what was exported: %w", err)
		}
		if header.Name == starts {
			lines, err := io.ReadAll(archive)
			return map[string][]string{set.Version: strings.Fields(string(lines))}, err
		}
	}
}

// ownStates checks that each version would find its own state: what was acknowledged of it, then nothing but lines of
// its own. One of which nothing was acknowledged yet begins with what the confirmed version has.
func (p promise) ownStates(states map[string][]string, was stand) error {
	for version, lines := range states {
		kept, own := was.Kept[version]
		if !own {
			kept = was.Kept[was.Active]
		}
		if len(lines) < len(kept) || !slices.Equal(lines[:len(kept)], kept) {
			return fmt.Errorf("the state of %s is %q, and %q was acknowledged", version, lines, kept)
		}
		for _, by := range lines[len(kept):] {
			if by != version && (own || by != was.Active) && !p.mayHaveRun(by) {
				return fmt.Errorf("the state of %s is %q: %s has no part in it", version, lines, by)
			}
		}
	}
	return nil
}

// mayHaveRun reports whether a version may have been confirmed before, where that is not known.
func (p promise) mayHaveRun(version string) bool {
	set := p.sets.Named(version)
	return p.mayFail && set != nil && set.Fate == oracle.Good
}
