package links

import (
	"strings"

	"nexus/libupdates/nxb"
)

// Runner is the daemon that runs bundles.
const Runner = "execd"

// A bundle is not a daemon: it has no row and no channel to initd. As the end of a link it is called `bundle:NAME`.
// What it is granted goes to the daemon that runs it, which passes it on.
const (
	bundleMark   = "bundle:"
	bundlePrefix = "bundle/" // prefix of the names under which bundles are looked up
	allBundles   = bundlePrefix + "*"
	heldMark     = "@" + Runner // suffix of a bundle's name if the runner holds the link for it
)

// isBundle reports whether an end of a link is a bundle.
func isBundle(end string) bool { return strings.HasPrefix(end, bundleMark) }

// isBundleName reports whether a name is that of a bundle.
func isBundleName(name string) bool {
	bundle, found := strings.CutPrefix(name, bundlePrefix)
	return found && nxb.CheckName(bundle) == nil
}

// isProgram reports whether a name is of a program that the runner may have, or hold a link for: a bundle's name, with
// a number after `#` if it runs on demand.
func isProgram(name string) bool {
	name = strings.TrimSuffix(name, heldMark)
	bundle, number, _ := strings.Cut(name, "#")
	return nxb.CheckName(bundle) == nil && len(number) <= len("18446744073709551615")
}

// by returns the daemon that receives what an end of a link is granted, and for whom, if not for itself.
func by(end string) (daemon, onward string) {
	if bundle, is := strings.CutPrefix(end, bundleMark); is {
		return Runner, bundle
	}
	return end, ""
}
