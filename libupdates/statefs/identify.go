package statefs

import (
	"fmt"
	"path"
	"slices"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// Identify tells whether a folder is one for our state, without changing anything: it is where Open would take it up.
// Refused as ForeignState or BadSchemaVersion.
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

// A mark is what a folder of ours says of itself.
type mark uint8

const (
	unused   mark = iota // nothing is in it yet
	marked               // it bears our version
	lostMark             // its version is damaged or gone, and an intact value proves it ours
)

// identify finds out whose a folder is.
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

// isForeign reports whether a name may not be in a folder that was never used.
func isForeign(name string) bool { return name != lostFound && name != formatFile+tempSuffix }

func isOurs(name string) bool {
	if was, aside := durable.Aside(name); aside {
		return isOurs(was)
	}
	_, prefix := Quotas()[name]
	return prefix || name == reserveFile || name == formatFile || !isForeign(name)
}

// anyIntact reports whether some prefix holds an intact value.
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
