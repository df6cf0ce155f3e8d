package nxb

import (
	"nexus/libupdates/bundlename"
	"nexus/libupdates/refusal"
	"nexus/libupdates/semver"
)

// MaxVersion bounds a version, in bytes.
const MaxVersion = 64

// CheckName refuses, as BadBundleName, an invalid bundle name.
func CheckName(name string) error { return bundlename.Check(name) }

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
