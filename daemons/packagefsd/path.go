package packagefsd

import (
	"io/fs"
	"strings"
	"unicode"

	"nexus/libupdates/refusal"
)

// maxPath bounds a path, in bytes. The longest that names anything is a bundle's name of 64 and a file's.
const maxPath = 255

// The files of a bundle, in byte order.
const (
	manifestName = "manifest.nxb"
	payloadName  = "payload.elf"
)

// A place is what a path means: the root, a bundle's directory, or a file of it.
type place struct {
	bundle string // "" is the root
	file   string // "" is the directory; else one of the two files
}

// parse reads a path strictly: there is one way to write each place. A path that is well written but can name nothing
// is refused as no-such-file, every other as bad-path.
func parse(path string) (place, error) {
	if err := checkPath(path); err != nil {
		return place{}, err
	}
	bundle, file, deeper := strings.Cut(path, "/")
	if deeper && file != manifestName && file != payloadName {
		return place{}, noSuchFile(path)
	}
	return place{bundle, file}, nil
}

func checkPath(path string) error {
	switch {
	case path == "":
		return nil // the root
	case len(path) > maxPath:
		return refusal.New(refusal.BadPath, "path of %d bytes is over %d", len(path), maxPath)
	case path == "." || !fs.ValidPath(path):
		return refusal.New(refusal.BadPath, "%q is not a plain relative path", path)
	case strings.ContainsFunc(path, unprintable) || strings.ContainsRune(path, '\\'):
		return refusal.New(refusal.BadPath, "%q has a character that no path has", path)
	default:
		return nil
	}
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func noSuchFile(path string) error {
	return refusal.New(refusal.NoSuchFile, "nothing is at %q", path)
}
