// Package release has the version of Nexus that a program was built from.
package release

// version is set by the linker: `make` passes the version from git or packaging/VERSION. A plain `go build` leaves it
// empty.
var version string

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
