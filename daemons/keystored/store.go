package keystored

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"nexus/libupdates/durable"
	"nexus/libupdates/roots"
)

// The root is stored twice, one copy after the other, so that a power cut or decay leaves one of them.
const (
	rootFile = "root"
	copyFile = "root.copy"
)

func copies() []string { return []string{rootFile, copyFile} }

// A store keeps the root on disk.
type store struct{ files durable.FS }

func newStore(dir *os.Root) store { return store{durable.OS(dir)} }

// load returns the stored root, or nil if none was ever stored. If the copies differ, the later one counts: a store
// that was cut off had written that. A root that is there but cannot be read is an error: without it the device would
// go back to the keys that the root has replaced. It also returns why the copies should be stored again.
func (s store) load() (state *roots.State, mend, err error) {
	var faults []error
	found := 0
	for _, name := range copies() {
		one, err := s.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("roots/%s: %w", name, err))
			continue
		}
		if found++; state == nil || later(one, *state) {
			state = &one
		}
	}
	switch {
	case state == nil && len(faults) > 0:
		return nil, nil, faults[0]
	case state != nil && found < len(copies()) && len(faults) == 0:
		faults = append(faults, errors.New("one copy of the root is missing"))
	case state != nil && !s.equal():
		faults = append(faults, errors.New("the copies of the root differ"))
	}
	return state, errors.Join(faults...), nil
}

// equal reports whether both copies hold the same bytes.
func (s store) equal() bool {
	a, errA := s.read(rootFile)
	b, errB := s.read(copyFile)
	return errA == nil && errB == nil && bytes.Equal(a.Encode(), b.Encode())
}

// later reports whether a state came after another one.
func later(a, b roots.State) bool {
	if a.Root.Version != b.Root.Version {
		return a.Root.Version > b.Root.Version
	}
	return a.Seen > b.Seen
}

func (s store) read(name string) (roots.State, error) {
	f, err := s.files.Open(name)
	if err != nil {
		return roots.State{}, err
	}
	defer f.Close()
	if f.Size() > int64(roots.MaxStored) {
		return roots.State{}, fmt.Errorf("it is larger than %d bytes", roots.MaxStored)
	}
	raw := make([]byte, f.Size())
	if _, err := f.ReadAt(raw, 0); err != nil {
		return roots.State{}, err
	}
	return roots.Load(raw)
}

// keep stores the root. When it returns without an error, both copies are durable.
func (s store) keep(state roots.State) error {
	raw := state.Encode()
	if again, err := roots.Load(raw); err != nil || !bytes.Equal(again.Encode(), raw) {
		return fmt.Errorf("cannot store root: it would not read back: %w", err)
	}
	for _, name := range copies() {
		if err := durable.WriteFile(s.files, name, raw); err != nil {
			return fmt.Errorf("cannot store root: %w", err)
		}
	}
	return nil
}
