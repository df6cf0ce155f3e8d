package packagefsd

import (
	"io/fs"
	"strings"
	"unicode"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// maxPath bounds a path, in bytes. The longest valid path is a bundle name of 64 bytes and a file name.
const maxPath = 255

// A place is a parsed path: the root, the directory of a bundle, or one of its files.
type place struct {
	bundle string // "" for the root
	file   string // "" for the directory; else one of the two files
}

// parse reads a path strictly: each place has exactly one path. A well-formed path that cannot name anything is refused
// as no-such-file, any other as bad-path.
func parse(path string) (place, error) {
	if err := checkPath(path); err != nil {
		return place{}, err
	}
	bundle, file, deeper := strings.Cut(path, "/")
	if deeper && file != nxb.ManifestFile && file != nxb.PayloadFile {
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
		return refusal.New(refusal.BadPath, "%q contains a character that paths must not contain", path)
	default:
		return nil
	}
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func noSuchFile(path string) error {
	return refusal.New(refusal.NoSuchFile, "nothing is at %q", path)
}
