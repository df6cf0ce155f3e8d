package nxs

import (
	"slices"
	"strings"

	"nexus/libupdates/nxb"
)

// CoreName is the name of the bundle by which a set carries the system itself: the one binary that is the first process
// and every daemon.
const CoreName = "nexus.core"

// Core returns the entry of the core among the bundles of a set, which are in byte order of their names; false where
// the set carries none.
func Core(bundles []Entry) (Entry, bool) {
	i, found := slices.BinarySearchFunc(bundles, CoreName,
		func(e Entry, name string) int { return strings.Compare(e.Name, name) })
	if !found {
		return Entry{}, false
	}
	return bundles[i], true
}

// CheckDemands refuses a bundle of the set that could not get what it asks for on a system of that SDK, as
// Manifest.CheckDemands does. The bundles of a set that carries a core run on that, and what it offers only it knows.
func (x Index) CheckDemands(m nxb.Manifest, sdk string) error {
	if _, carries := Core(x.Bundles); carries {
		return nil
	}
	return m.CheckDemands(sdk)
}
