package statefs

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"nexus/libupdates/durable"
)

// version is that of the layout.
const version = "1"

// A Store is an open state folder. It has one owner; its prefixes may be used from any goroutine.
type Store struct {
	fs       durable.FS
	prefixes map[string]*Prefix

	mu    sync.Mutex
	notes []Note
}

// A Note is something in the folder that is not, or was not, as it should be.
type Note struct {
	Text   string
	Mended bool // something was set aside or made anew: whoever keeps records of what is done to a system records it
}

// Open takes up a state folder, or makes one where nothing is: a file system's own lost+found is nothing. Values that
// were being written when the power went are removed. A folder is ours if its version says so or, where that is damaged
// or gone, one intact value does; any other is refused as ForeignState, and one of a newer version as BadSchemaVersion,
// with nothing changed in either.
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
	if err := s.mark(mark, slices.Contains(names, formatFile)); err != nil {
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

// Notes returns what was found since the last call, one line each.
func (s *Store) Notes() []Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	notes := s.notes
	s.notes = nil
	return notes
}

func (s *Store) note(format string, args ...any) { s.add(Note{Text: fmt.Sprintf(format, args...)}) }

func (s *Store) mended(format string, args ...any) {
	s.add(Note{Text: fmt.Sprintf(format, args...), Mended: true})
}

func (s *Store) add(n Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, n)
}

// mark marks the folder as ours where that is missing. It comes before anything else: a cut leaves a folder that is
// empty, or one that is known.
func (s *Store) mark(was mark, there bool) error {
	switch was {
	case marked:
		return nil
	case lostMark:
		s.mended("the version of the layout was damaged or gone")
	}
	if there {
		if err := s.makeWay(formatFile); err != nil {
			return err
		}
	}
	return durable.WriteFile(s.fs, formatFile, encodeValue(formatKey, []byte(version)))
}

// openPrefix makes the prefix's directory where it is missing and learns what is in it.
func (s *Store) openPrefix(name string, quota Quota) error {
	files, err := s.seat(name)
	if err != nil {
		return err
	}
	p := &Prefix{store: s, name: name, quota: quota, sizes: map[string]int64{}}
	for _, file := range files {
		if err := p.found(file); err != nil {
			return err
		}
	}
	s.prefixes[name] = p
	return s.fs.SyncDir(name) // what is there counts, also where a cut could still take it back
}

// found takes up one file of the prefix.
func (p *Prefix) found(file string) error {
	name := path.Join(p.name, file)
	key, isValue := keyOf(file)
	_, leftover := keyOf(strings.TrimSuffix(file, tempSuffix))
	_, aside := durable.Aside(file)
	switch {
	case isValue:
		p.add(key, p.store.sizeOf(name))
	case leftover:
		return p.store.fs.RemoveAll(name)
	case !aside:
		p.store.note("left alone: %s", name)
	}
	return nil
}

// sizeOf returns the size of the value in a file, as far as it can be told.
func (s *Store) sizeOf(file string) int64 {
	if kind, err := s.fs.Kind(file); err == nil && kind != 0 {
		s.note("%s is %s: it counts as a damaged value", file, durable.KindName(kind))
		return 0
	}
	f, err := s.fs.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	return max(f.Size()-headerSize, 0)
}
