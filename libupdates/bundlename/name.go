// Package bundlename defines the names of bundles.
package bundlename

import (
	"strings"

	"nexus/libupdates/refusal"
)

// Max bounds a name, in bytes.
const Max = 64

// Check refuses, as BadBundleName, an invalid bundle name. A name has 1 to 64 characters of [a-z0-9._-], begins and
// ends with a letter or digit, and does not contain `..`.
func Check(name string) error {
	if len(name) < 1 || len(name) > Max {
		return refusal.New(refusal.BadBundleName, "bundle name has %d characters, want 1 to %d", len(name), Max)
	}
	for _, c := range []byte(name) {
		if !isAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return refusal.New(refusal.BadBundleName, "bundle name %q has a character outside [a-z0-9._-]", name)
		}
	}
	if !isAlphanumeric(name[0]) || !isAlphanumeric(name[len(name)-1]) || strings.Contains(name, "..") {
		return refusal.New(refusal.BadBundleName,
			"bundle name %q must start and end with a letter or digit and must not contain `..`", name)
	}
	return nil
}

func isAlphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
