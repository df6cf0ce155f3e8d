package nxs

import (
	"slices"
	"strings"

	"nexus/libupdates/nxb"
)

// CoreName is the name of the bundle that holds the system itself: the one binary that is the first process and every
// daemon.
const CoreName = "nexus.core"

// Core returns the entry of the core, or false if the set has none. The bundles must be in byte order of their names.
func Core(bundles []Entry) (Entry, bool) {
	i, found := slices.BinarySearchFunc(bundles, CoreName,
		func(e Entry, name string) int { return strings.Compare(e.Name, name) })
	if !found {
		return Entry{}, false
	}
	return bundles[i], true
}

// CheckDemands refuses a bundle whose demands a system of that SDK cannot meet, as Manifest.CheckDemands does. It
// accepts every bundle of a set that carries a core: those run on that core, and only the core knows what it offers.
func (x Index) CheckDemands(m nxb.Manifest, sdk string) error {
	if _, carries := Core(x.Bundles); carries {
		return nil
	}
	return m.CheckDemands(sdk)
}
