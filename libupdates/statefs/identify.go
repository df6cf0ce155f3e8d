package statefs

import (
	"fmt"
	"path"
	"slices"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// Identify checks, without changing anything, that Open would accept the folder as a state folder. Refused as
// ForeignState or BadSchemaVersion.
func Identify(fs durable.ReadFS) error {
	names, err := fs.ReadDir(root)
	if err == nil {
		_, err = identify(fs, names)
	}
	if err != nil {
		return fmt.Errorf("cannot open state: %w", err)
	}
	return nil
}

// A mark says how a folder is marked as a state folder.
type mark uint8

const (
	unused   mark = iota // the folder is empty
	marked               // it has our version
	lostMark             // the version is damaged or missing, but an intact value proves that it is ours
)

// identify returns the mark of a folder.
func identify(fs durable.ReadFS, names []string) (mark, error) {
	foreign := slices.IndexFunc(names, isForeign)
	if foreign < 0 {
		return unused, nil
	}
	if slices.Contains(names, formatFile) {
		got, err := readValue(fs, formatFile, formatKey)
		switch {
		case err == nil && string(got) == version:
			return marked, nil
		case err == nil:
			return 0, refusal.New(refusal.BadSchemaVersion, "its layout is version %.20q, not %q", got, version)
		}
	}
	if !anyIntact(fs, names) {
		return 0, refusal.New(refusal.ForeignState, "it holds %s, which is not ours", names[foreign])
	}
	return lostMark, nil
}

// isForeign reports whether a name must not exist in a folder that was never used.
func isForeign(name string) bool { return name != lostFound && name != formatFile+tempSuffix }

func isOurs(name string) bool {
	if was, aside := durable.Aside(name); aside {
		return isOurs(was)
	}
	_, prefix := Quotas()[name]
	return prefix || name == reserveFile || name == formatFile || !isForeign(name)
}

// anyIntact reports whether any prefix holds an intact value.
func anyIntact(fs durable.ReadFS, names []string) bool {
	for _, prefix := range names {
		if _, known := Quotas()[prefix]; !known {
			continue
		}
		files, err := fs.ReadDir(prefix)
		if err != nil {
			continue
		}
		for _, file := range files {
			if key, ok := keyOf(file); ok {
				if _, err := readValue(fs, path.Join(prefix, file), path.Join(prefix, key)); err == nil {
					return true
				}
			}
		}
	}
	return false
}
