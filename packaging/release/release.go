// Package release says which version of Nexus a program was built from.
package release

// version is set by the linker: `make` passes what git or packaging/VERSION says. A plain `go build` leaves it empty.
var version string

// Version is the version this program was built from, such as v1.2.0, or (devel) where the build named none.
func Version() string {
	if version == "" {
		return "(devel)"
	}
	return version
}

// Line is what a command answers to --version.
func Line(command string) string {
	if version == "" {
		return command + " (devel): built without a version"
	}
	return command + " " + version
}
