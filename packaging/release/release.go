// Package release has the version of Nexus that a program was built from.
package release

import (
	"strconv"
	"time"
)

// version is set by the linker: `make` passes the version from git or packaging/VERSION. A plain `go build` leaves it
// empty.
var version string

// built is set by the linker: when the commit was made that this program was built from, in seconds since 1970 UTC.
var built string

// Built returns when this program was built, as far as it knows: when its commit was made, or 1970.
func Built() time.Time {
	seconds, err := strconv.ParseInt(built, 10, 64)
	if err != nil {
		seconds = 0
	}
	return time.Unix(seconds, 0)
}

// Version returns the version that this program was built from, such as v1.2.0, or (devel) if the build set none.
func Version() string {
	if version == "" {
		return "(devel)"
	}
	return version
}

// Line returns the answer of a command to --version.
func Line(command string) string {
	if version == "" {
		return command + " (devel): built without a version"
	}
	return command + " " + version
}
