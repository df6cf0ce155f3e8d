package links

import (
	"strings"

	"nexus/libupdates/nxb"
)

// Runner is the daemon that runs bundles.
const Runner = "execd"

// A bundle is no daemon: it has no row and no channel to initd. At the end of a link it stands as `bundle:NAME`, and
// what it is handed goes to the daemon that runs it, which passes it on.
const (
	bundleMark   = "bundle:"
	bundlePrefix = "bundle/" // of the names under which bundles are looked up
	allBundles   = bundlePrefix + "*"
	heldMark     = "@" + Runner // behind a bundle's name: the runner holds the link for the bundle
)

// isBundle reports whether an end of a link is a bundle.
func isBundle(end string) bool { return strings.HasPrefix(end, bundleMark) }

// isBundleName reports whether a name is that of one bundle.
func isBundleName(name string) bool {
	bundle, found := strings.CutPrefix(name, bundlePrefix)
	return found && nxb.CheckName(bundle) == nil
}

// isProgram reports whether the runner may have a program of that name: a bundle's, with a number after `#` for one
// that it runs on demand; or may hold a link for it.
func isProgram(name string) bool {
	name = strings.TrimSuffix(name, heldMark)
	bundle, number, _ := strings.Cut(name, "#")
	return nxb.CheckName(bundle) == nil && len(number) <= len("18446744073709551615")
}

// by tells which daemon takes what an end of a link is handed, and for whom it takes it, if not for itself.
func by(end string) (daemon, onward string) {
	if bundle, is := strings.CutPrefix(end, bundleMark); is {
		return Runner, bundle
	}
	return end, ""
}
