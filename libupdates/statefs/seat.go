package statefs

import (
	"errors"
	"io/fs"

	"nexus/libupdates/durable"
)

// seat sees to it that a prefix has a directory, and lists it. What is there instead, or is one that this process may
// not use, is set aside: the prefixes are apart so that trouble with one is no trouble for the system. A disk that
// fails is an error, for that may pass.
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

// makeWay sets aside what has the name of a file and is none.
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

// setAside frees a name and says what was there.
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
