package nxs

import (
	"slices"

	"nexus/libupdates/policy"
)

// Asking returns what the bundles of a set ask for, without those that ask for nothing.
func Asking(x Index) []policy.Asking {
	var set []policy.Asking
	for _, e := range x.Bundles {
		if len(e.Powers) > 0 {
			set = append(set, policy.Asking{Bundle: e.Name, Powers: e.Powers})
		}
	}
	return set
}

// Has reports whether the set has a bundle of that name.
func (x Index) Has(bundle string) bool {
	return slices.ContainsFunc(x.Bundles, func(e Entry) bool { return e.Name == bundle })
}
