// Package semver orders versions by SemVer 2.0.0. Numbers may have any length; limits on the length of a version are up
// to the caller.
package semver

import (
	"cmp"
	"strings"
)

// Valid reports whether the text is a SemVer 2.0.0: MAJOR.MINOR.PATCH, optionally followed by -PRERELEASE and +BUILD.
func Valid(version string) bool {
	v := split(version)
	if len(v.core) != 3 {
		return false
	}
	for _, number := range v.core {
		if !isNumber(number) {
			return false
		}
	}
	for _, identifier := range v.prerelease {
		if !isIdentifier(identifier) || isDigits(identifier) && !isNumber(identifier) {
			return false
		}
	}
	for _, identifier := range v.build {
		if !isIdentifier(identifier) {
			return false
		}
	}
	return true
}

// Compare compares two valid versions by precedence (SemVer 2.0.0, section 11) and returns -1, 0 or 1. Build metadata
// is ignored.
func Compare(a, b string) int {
	left, right := split(a), split(b)
	for i := range min(len(left.core), len(right.core)) {
		if c := compareNumbers(left.core[i], right.core[i]); c != 0 {
			return c
		}
	}
	switch release := len(left.prerelease) == 0; {
	case release && len(right.prerelease) == 0:
		return 0
	case release:
		return 1
	case len(right.prerelease) == 0:
		return -1
	}
	for i := range min(len(left.prerelease), len(right.prerelease)) {
		if c := compareIdentifiers(left.prerelease[i], right.prerelease[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(left.prerelease), len(right.prerelease))
}

// parts are the parts of a version. A missing part is nil.
type parts struct{ core, prerelease, build []string }

func split(version string) (p parts) {
	version, build, hasBuild := strings.Cut(version, "+")
	core, prerelease, hasPrerelease := strings.Cut(version, "-")
	p.core = strings.Split(core, ".")
	if hasPrerelease {
		p.prerelease = strings.Split(prerelease, ".")
	}
	if hasBuild {
		p.build = strings.Split(build, ".")
	}
	return p
}

// compareIdentifiers compares two prerelease identifiers: numbers by value and below all others, the others in ASCII
// order.
func compareIdentifiers(a, b string) int {
	switch number := isDigits(a); {
	case number && isDigits(b):
		return compareNumbers(a, b)
	case number:
		return -1
	case isDigits(b):
		return 1
	}
	return strings.Compare(a, b)
}

// compareNumbers compares two numbers without leading zeros: the longer one is the larger one.
func compareNumbers(a, b string) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// isNumber reports whether the text is a number without leading zeros.
func isNumber(s string) bool { return isDigits(s) && (s == "0" || s[0] != '0') }

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

func isIdentifier(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return s != ""
}
