package initd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"nexus/daemons/plat"
	"nexus/libupdates/durable"
	"nexus/libupdates/statefs"
)

// stateDir is the name of the state folder in a system's own folder.
const stateDir = "state"

// stateName is the row that exists only with a state folder.
const stateName = "statefsd"

// A stateFolder is where a system keeps what outlives it. Only statefsd uses its contents.
type stateFolder struct{ lock *os.File }

// openState makes the folder if it is missing and locks it, or takes over the previous core's lock, because two systems
// must not share one. A folder with anything else in it is refused unchanged, its owner included. Without a path the
// result is nil.
func openState(path string, held *os.File, f *folder) (*stateFolder, error) {
	switch {
	case path == "":
		return nil, nil
	case held != nil:
		return &stateFolder{held}, nil
	}
	dir, err := findState(path, f)
	if err != nil {
		return nil, err
	}
	if err := lockState(dir); err != nil {
		dir.Close()
		const remedy = "put the state back, or name another folder with --state"
		return nil, fmt.Errorf("cannot use state in %s: %w: %s", path, err, remedy)
	}
	return &stateFolder{dir}, nil
}

// findState opens the folder. Below the system's own folder no link is followed; elsewhere the operator chose the path.
func findState(path string, f *folder) (*os.File, error) {
	if way, below := inside(f.path, path); below {
		return f.stateBelow(way)
	}
	return f.openNamed(path, "--state", 0o700, claimOf(stateDir).OwnerOf())
}

// stateBelow opens a state folder below the system's own folder, and makes it if it is missing.
func (f *folder) stateBelow(way string) (*os.File, error) {
	name := ""
	for _, part := range parts(way) {
		name = filepath.Join(name, part)
		kind, err := f.files.Kind(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = f.root.Mkdir(name, 0o700)
		case err == nil && kind != fs.ModeDir:
			return nil, cannotUse(f.at(name), "it is "+durable.KindName(kind)+", not a folder",
				"put the folder back, or name the one that holds the state with --state")
		case err == nil && name == way:
			err = f.checkState(name)
		}
		if err != nil {
			return nil, err
		}
	}
	return f.below(way)
}

// checkState checks that this system can use an existing state folder.
func (f *folder) checkState(name string) error {
	parent, base, err := f.parent(name)
	if err != nil {
		return err
	}
	defer parent.Close()
	return f.checkAt(parent, base, name, claimOf(stateDir).OwnerOf())
}

func lockState(dir *os.File) error {
	root, err := plat.Root(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := statefs.Identify(durable.OS(root)); err != nil {
		return err
	}
	if err := plat.Lock(dir); errors.Is(err, plat.ErrLocked) {
		return errors.New("another system uses it")
	} else if err != nil {
		return err
	}
	return nil
}

// close unlocks the folder. s may be nil.
func (s *stateFolder) close() {
	if s != nil {
		s.lock.Close()
	}
}

// recordPlace tells updated where the boot record is, and logd where to keep the journal besides its memory.
func recordPlace(persistent bool) string {
	if persistent {
		return "statefs"
	}
	return "memory"
}

// tableFor returns the table of a system with or without state. Without, there is no statefsd, no edge to it, and no
// state of bundles.
func tableFor(persistent, remote bool) []Daemon {
	var table []Daemon
	for _, row := range Table() {
		if row.Name == stateName && !persistent || row.Name == remoteName && !remote {
			continue
		}
		var holds []Edge
		for _, edge := range row.Holds {
			if edge.From != stateName || persistent {
				holds = append(holds, edge)
			}
		}
		row.Holds = holds
		row.Dirs = slices.DeleteFunc(row.Dirs, func(dir string) bool { return dir == bundlesDir && !persistent })
		table = append(table, row)
	}
	return table
}
