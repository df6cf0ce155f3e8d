package initd

import (
	"errors"
	"fmt"
	"os"

	"nexus/daemons/plat"
	"nexus/libupdates/durable"
	"nexus/libupdates/statefs"
)

// stateDir is the name of the state folder in a system's own.
const stateDir = "state"

// stateName is the row that is there only where there is a state folder.
const stateName = "statefsd"

// A stateFolder is where a system keeps what outlives it. What is in it is for statefsd alone.
type stateFolder struct{ lock *os.File }

// openState makes the folder where it is missing and locks it, unless the core before has left that: two systems may not share one. One that is
// not for our state is refused, with nothing in it changed, not even whose it is. The result is nil without a path.
func openState(path string, held *os.File) (*stateFolder, error) {
	switch {
	case path == "":
		return nil, nil
	case held != nil:
		return &stateFolder{held}, nil
	}
	s, err := lockState(path)
	if err != nil {
		return nil, fmt.Errorf("cannot use state in %s: %w", path, err)
	}
	return s, nil
}

func lockState(path string) (*stateFolder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := statefs.Identify(durable.OS(root)); err != nil {
		return nil, err
	}
	lock, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := plat.Lock(lock); err != nil {
		lock.Close()
		if errors.Is(err, plat.ErrLocked) {
			err = errors.New("another system has it")
		}
		return nil, err
	}
	return &stateFolder{lock}, nil
}

// close gives the folder back; that there is none is fine.
func (s *stateFolder) close() {
	if s != nil {
		s.lock.Close()
	}
}

// recordPlace tells updated where the boot record is.
func recordPlace(persistent bool) string {
	if persistent {
		return "statefs"
	}
	return "memory"
}

// tableFor is the table of a system with or without state: without, there is no statefsd, and nothing is held from it.
func tableFor(persistent bool) []Daemon {
	var table []Daemon
	for _, row := range Table() {
		if row.Name == stateName && !persistent {
			continue
		}
		var holds []Edge
		for _, edge := range row.Holds {
			if edge.From != stateName || persistent {
				holds = append(holds, edge)
			}
		}
		row.Holds = holds
		table = append(table, row)
	}
	return table
}
