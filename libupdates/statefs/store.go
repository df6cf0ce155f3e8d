package statefs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"nexus/libupdates/durable"
)

// version is that of the layout.
const version = "1"

// A Store is an open state folder. It has one owner; its prefixes may be used from any goroutine.
type Store struct {
	fs       durable.FS
	prefixes map[string]*Prefix
	notes    []string
}

// Open takes up a state folder, or makes one where nothing is: a file system's own lost+found is nothing. Values that were being written
// when the power went are removed. A folder is ours if its version says so or, where that is damaged or gone, one intact value does; any
// other is refused as ForeignState, and one of a newer version as BadSchemaVersion, with nothing changed in either.
func Open(fsys durable.FS) (*Store, error) {
	s := &Store{fs: fsys, prefixes: map[string]*Prefix{}}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("cannot open state: %w", err)
	}
	return s, nil
}

func (s *Store) open() error {
	names, err := s.fs.ReadDir(root)
	if err != nil {
		return err
	}
	mark, err := identify(s.fs, names)
	if err != nil {
		return err
	}
	if err := s.mark(mark); err != nil {
		return err
	}
	for _, name := range names {
		if !isOurs(name) {
			s.note("left alone: %s", name)
		}
	}
	for _, prefix := range slices.Sorted(maps.Keys(Quotas())) {
		if err := s.openPrefix(prefix, Quotas()[prefix]); err != nil {
			return err
		}
	}
	if err := s.fs.SyncDir(root); err != nil {
		return err
	}
	if err := s.keepReserve(); err != nil {
		s.note("no space is kept for the boot record: %v", err)
	}
	return nil
}

// Prefix returns the keys of one prefix; nil for one that is not in Quotas.
func (s *Store) Prefix(name string) *Prefix { return s.prefixes[name] }

// Notes returns what Open found that is not as it should be, one line each.
func (s *Store) Notes() []string { return slices.Clone(s.notes) }

func (s *Store) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// mark marks the folder as ours where that is missing. It comes before anything else: a cut leaves a folder that is empty, or one that is
// known.
func (s *Store) mark(was mark) error {
	switch was {
	case marked:
		return nil
	case lostMark:
		s.note("the version of the layout was damaged or gone")
	}
	return durable.WriteFile(s.fs, formatFile, encodeValue(formatKey, []byte(version)))
}

// openPrefix makes the prefix's directory where it is missing and learns what is in it.
func (s *Store) openPrefix(name string, quota Quota) error {
	if err := s.fs.Mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	files, err := s.fs.ReadDir(name)
	if err != nil {
		return err
	}
	p := &Prefix{store: s, name: name, quota: quota, sizes: map[string]int64{}}
	for _, file := range files {
		key, ok := keyOf(file)
		_, leftover := keyOf(strings.TrimSuffix(file, tempSuffix))
		switch {
		case ok:
			p.add(key, s.sizeOf(path.Join(name, file)))
		case leftover:
			if err := s.fs.RemoveAll(path.Join(name, file)); err != nil {
				return err
			}
		default:
			s.note("left alone: %s", path.Join(name, file))
		}
	}
	s.prefixes[name] = p
	return s.fs.SyncDir(name) // what is there counts, also where a cut could still take it back
}

// sizeOf returns the size of the value in a file, as far as it can be told.
func (s *Store) sizeOf(file string) int64 {
	f, err := s.fs.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	return max(f.Size()-headerSize, 0)
}
