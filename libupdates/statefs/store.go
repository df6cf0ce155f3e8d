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

// version is the version of the layout.
const version = "1"

// A Store is an open state folder. It has one owner. Its prefixes may be used concurrently.
type Store struct {
	fs       durable.FS
	prefixes map[string]*Prefix

	mu    sync.Mutex
	notes []Note
}

// A Note reports something in the folder that is, or was, wrong.
type Note struct {
	Text   string
	Mended bool // something was set aside or created again; belongs into the audit log
}

// Open opens a state folder, or creates one in an empty folder; a file system's lost+found counts as empty. It removes
// values whose writing was interrupted. A folder is ours if its version says so or, if the version is damaged or
// missing, if one value is intact. Any other folder is refused as ForeignState, and one of a newer version as
// BadSchemaVersion; neither is changed.
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
	return s.dropReserve()
}

// Prefix returns one prefix, or nil if it is not in Quotas.
func (s *Store) Prefix(name string) *Prefix { return s.prefixes[name] }

// Notes returns the notes since the last call.
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

// mark writes the version if it is missing. This comes first: after a power cut the folder is either empty or
// recognised.
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

// openPrefix creates the prefix's folder if it is missing and loads its keys.
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
	return s.fs.SyncDir(name) // a power cut must not undo what was found
}

// found handles one file in the prefix's folder.
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

// sizeOf returns the size of the value in a file, as far as it is known.
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
