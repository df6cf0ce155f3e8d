package keystored

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// Bounds on what is read.
const (
	maxKeyFile = 4 << 10 // of one file, in bytes
	maxEntries = 256     // of one folder
)

// A skip is a file or folder that was skipped, and why.
type skip struct {
	path  string
	cause error
}

// An UnusableError reports that there are keys for sets but none that can be used. No set can be verified, whoever made
// it, and restarting cannot help.
type UnusableError struct{ first skip }

func (e *UnusableError) Error() string {
	const remedy = "repair the keys, or give the publisher's key with --trust"
	return fmt.Sprintf("cannot find usable key: trust/%s: %v: %s", e.first.path, e.first.cause, remedy)
}

// unusable returns an UnusableError if there are keys for sets and all were skipped, else nil.
func unusable(anchors trust.Anchors, skipped []skip) error {
	if slices.ContainsFunc(anchors.List(), func(a trust.Anchor) bool { return a.Role == trust.RoleSystem }) {
		return nil
	}
	system := string(trust.RoleSystem)
	for _, s := range skipped {
		if s.path == system || strings.HasPrefix(s.path, system+"/") {
			return &UnusableError{s}
		}
	}
	return nil
}

// load reads the keys of all roles from files named `<role>/<key in hex>.pub`. Everything else is skipped and is never
// fatal: a broken file neither adds trust nor takes any from the other files.
func load(dir *os.Root) (trust.Anchors, []skip, error) {
	l := loader{dir: dir}
	roles, err := l.entries(".")
	if err != nil {
		return trust.Anchors{}, nil, err
	}
	for _, entry := range roles {
		role := trust.Role(entry.Name())
		switch {
		case !entry.IsDir():
			l.skip(entry.Name(), errors.New("not a folder"))
		case !known(role):
			l.skip(entry.Name(), errors.New("unknown role"))
		default:
			l.loadRole(role)
		}
	}
	return l.anchors, l.skipped, nil
}

func known(role trust.Role) bool { return role == trust.RoleSystem || role == trust.RoleApps }

type loader struct {
	dir     *os.Root
	anchors trust.Anchors
	skipped []skip
}

func (l *loader) skip(path string, cause error) {
	l.skipped = append(l.skipped, skip{path, cause})
}

func (l *loader) loadRole(role trust.Role) {
	files, err := l.entries(string(role))
	if err != nil {
		l.skip(string(role), err)
		return
	}
	for _, entry := range files {
		name := path.Join(string(role), entry.Name())
		key, err := l.key(name, entry)
		if err != nil {
			l.skip(name, err)
			continue
		}
		l.anchors = l.anchors.Add(role, key)
	}
}

// key reads one key. The file's name must match its content, so that a listing of the folder shows what is trusted.
func (l *loader) key(name string, entry fs.DirEntry) (trust.PublicKey, error) {
	if !entry.Type().IsRegular() {
		return trust.PublicKey{}, errors.New("not a regular file")
	}
	text, err := l.read(name)
	if err != nil {
		return trust.PublicKey{}, err
	}
	key, err := trust.ParsePublicFile(entry.Name(), text)
	if err != nil {
		return trust.PublicKey{}, err
	}
	if want := key.String() + ".pub"; entry.Name() != want {
		return trust.PublicKey{}, refusal.New(refusal.NameMismatch,
			"the file must be named after the key it holds: %s", want)
	}
	return key, nil
}

func (l *loader) read(name string) ([]byte, error) {
	f, err := l.dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, refusal.New(refusal.BadKey, "the file is over %d bytes", maxKeyFile)
	}
	return text, nil
}

// entries lists a folder. A folder with more than maxEntries is refused as a whole: which keys are trusted must not
// depend on the order of the entries.
func (l *loader) entries(name string) ([]fs.DirEntry, error) {
	f, err := l.dir.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("more than %d entries", maxEntries)
	}
	return entries, nil
}
