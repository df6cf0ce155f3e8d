package nxs

import (
	"slices"
	"strings"
)

// CoreName is the name of the bundle by which a set carries the system itself: the one binary that is the first process and every daemon.
const CoreName = "nexus.core"

// Core returns the entry of the core among the bundles of a set, which are in byte order of their names; false where the set carries none.
func Core(bundles []Entry) (Entry, bool) {
	i, found := slices.BinarySearchFunc(bundles, CoreName, func(e Entry, name string) int { return strings.Compare(e.Name, name) })
	if !found {
		return Entry{}, false
	}
	return bundles[i], true
}
