package statefs

import (
	"errors"
	"io/fs"

	"nexus/libupdates/durable"
)

// seat makes sure that a prefix has a folder, and lists it. Anything else in its place, or a folder that this process
// may not use, is set aside, so that trouble with one prefix does not stop the system. A failing disk is an error,
// because that may be temporary.
func (s *Store) seat(prefix string) ([]string, error) {
	kind, err := s.fs.Kind(prefix)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.fs.Mkdir(prefix)
	case err != nil:
		return nil, err
	}
	what := durable.KindName(kind)
	if kind == fs.ModeDir {
		names, err := s.fs.ReadDir(prefix)
		if !errors.Is(err, fs.ErrPermission) {
			return names, err
		}
		what = "a folder that this system may not open"
	}
	if err := s.setAside(prefix, what); err != nil {
		return nil, err
	}
	return nil, s.fs.Mkdir(prefix)
}

// makeWay sets aside anything at a file's name that is not a file.
func (s *Store) makeWay(file string) error {
	kind, err := s.fs.Kind(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case kind == 0:
		return nil
	}
	return s.setAside(file, durable.KindName(kind))
}

// setAside frees a name and adds a note on what was there.
func (s *Store) setAside(name, what string) error {
	to, err := durable.SetAside(s.fs, name)
	switch {
	case err != nil:
		return err
	case to == "":
		s.mended("%s was %s: removed", name, what)
	default:
		s.mended("%s was %s: set aside as %s", name, what, to)
	}
	return nil
}
