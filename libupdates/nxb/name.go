package nxb

import (
	"strings"

	"nexus/libupdates/refusal"
	"nexus/libupdates/semver"
)

// Bounds of texts, in bytes.
const (
	MaxName    = 64
	MaxVersion = 64
)

// CheckName refuses, as BadBundleName, an invalid bundle name. A name has 1 to 64 characters of [a-z0-9._-], begins and
// ends with a letter or digit, and does not contain `..`.
func CheckName(name string) error {
	if len(name) < 1 || len(name) > MaxName {
		return refusal.New(refusal.BadBundleName, "bundle name has %d characters, want 1 to %d", len(name), MaxName)
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

// CheckVersion refuses, as BadVersion, a version that is not a SemVer 2.0.0 of at most 64 characters.
func CheckVersion(version string) error {
	if len(version) > MaxVersion {
		return refusal.New(refusal.BadVersion, "version has %d characters, want at most %d", len(version), MaxVersion)
	}
	if !semver.Valid(version) {
		return refusal.New(refusal.BadVersion, "version %q is not a SemVer 2.0.0", version)
	}
	return nil
}
