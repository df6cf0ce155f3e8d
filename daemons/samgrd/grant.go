package samgrd

import (
	"slices"
	"strings"
)

// bundlePrefix starts the names of bundles; allBundles, as a granted name, stands for all of them.
const (
	bundlePrefix = "bundle/"
	allBundles   = bundlePrefix + "*"
)

// A grant is the set of names that one client may use. The zero value has none.
type grant []string

// allows tells whether the name is granted.
func (g grant) allows(name string) bool {
	return slices.Contains(g, name) || strings.HasPrefix(name, bundlePrefix) && slices.Contains(g, allBundles)
}

// narrow returns what both the grant and names allow. `bundle/*` on either side leaves the bundles that the other side has.
func (g grant) narrow(names []string) grant {
	wanted := grant(names)
	var both grant
	for _, name := range wanted {
		if g.allows(name) {
			both = append(both, name)
		}
	}
	for _, name := range g {
		if wanted.allows(name) {
			both = append(both, name)
		}
	}
	slices.Sort(both)
	return slices.Compact(both)
}
