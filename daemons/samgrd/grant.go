package samgrd

import (
	"slices"
	"strings"
)

// bundlePrefix starts the names of bundles; allBundles, as a granted name, stands for all of them but those that stand
// there after exceptPrefix.
const (
	bundlePrefix = "bundle/"
	allBundles   = bundlePrefix + "*"
	exceptPrefix = "!"
)

// A grant is the set of names that one client may use. The zero value has none.
type grant []string

// allows tells whether the name is granted.
func (g grant) allows(name string) bool {
	granted := slices.Contains(g, name) || strings.HasPrefix(name, bundlePrefix) && slices.Contains(g, allBundles)
	return granted && !strings.HasPrefix(name, exceptPrefix) && !slices.Contains(g, exceptPrefix+name)
}

// exceptions are what the grant excepts.
func (g grant) exceptions() (all grant) {
	for _, name := range g {
		if strings.HasPrefix(name, exceptPrefix) {
			all = append(all, name)
		}
	}
	return all
}

// narrow returns what both the grant and names allow. `bundle/*` on either side leaves the bundles that the other side
// has, and what either side excepts stays excepted.
func (g grant) narrow(names []string) grant {
	wanted := grant(names)
	both := append(g.exceptions(), wanted.exceptions()...)
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
