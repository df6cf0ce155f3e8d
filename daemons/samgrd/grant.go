package samgrd

import (
	"slices"
	"strings"
)

// bundlePrefix starts the names of bundles. As a granted name, allBundles stands for all bundles except those that are
// listed with exceptPrefix.
const (
	bundlePrefix = "bundle/"
	allBundles   = bundlePrefix + "*"
	exceptPrefix = "!"
)

// maxName bounds a name, in bytes (schema/registry.capnp). A longer one is nobody's, and is not kept.
const maxName = 71

// A grant is the set of names that one client may use. The zero value allows none.
type grant []string

// allows reports whether the name is granted.
func (g grant) allows(name string) bool {
	granted := slices.Contains(g, name) ||
		strings.HasPrefix(name, bundlePrefix) && len(name) <= maxName && slices.Contains(g, allBundles)
	return granted && !strings.HasPrefix(name, exceptPrefix) && !slices.Contains(g, exceptPrefix+name)
}

// exceptions returns the names that the grant excludes.
func (g grant) exceptions() (all grant) {
	for _, name := range g {
		if strings.HasPrefix(name, exceptPrefix) && len(name) <= len(exceptPrefix)+maxName {
			all = append(all, name)
		}
	}
	return all
}

// narrow returns the names allowed by both the grant and names. `bundle/*` on one side allows the bundles that the
// other side allows, and an exception on either side stays.
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
