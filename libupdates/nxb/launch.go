package nxb

import (
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/powers"
)

// Bounds of what a program is started with (schema/manifest.capnp).
const (
	MaxArgument = 1024 // bytes of one argument or variable
	MaxLaunch   = 4096 // bytes of all of them
)

// checkLaunch checks arguments and environment.
func (m Manifest) checkLaunch() error {
	size := 0
	for _, text := range slices.Concat(m.Args, m.Environment) {
		size += len(text)
	}
	if size > MaxLaunch {
		return fmt.Errorf("args and environment have %d bytes, want at most %d", size, MaxLaunch)
	}
	return CheckEnvironment(m.Environment)
}

// CheckEnvironment checks the form of variables, each `NAME=value`.
func CheckEnvironment(variables []string) error {
	names := map[string]bool{}
	for _, variable := range variables {
		name, _, assigned := strings.Cut(variable, "=")
		switch {
		case !assigned || !isVariable(name):
			return fmt.Errorf("%.64q is not NAME=value with a NAME of letters, digits and _", variable)
		case reserved(name):
			return fmt.Errorf("%s cannot be set: the system sets what begins with NEXUS_ or LISTEN_, and STATE_DIRECTORY",
				name)
		case names[name]:
			return fmt.Errorf("%s is set twice", name)
		}
		names[name] = true
	}
	return nil
}

// reserved reports whether a variable is one that the system sets: programs believe those.
func reserved(name string) bool {
	return strings.HasPrefix(name, "NEXUS_") || strings.HasPrefix(name, "LISTEN_") || name == "STATE_DIRECTORY"
}

// CheckReferences refuses a reference such as `${NEXUS_STATE}` in arguments and environment to a variable that the
// system does not set for the bundle: it would stay as it is.
func (m Manifest) CheckReferences(text string) error {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "${NEXUS_")
		if !found {
			return nil
		}
		name, tail, closed := strings.Cut(after, "}")
		if rest = tail; closed && !slices.Contains(m.variables(), "NEXUS_"+name) {
			return fmt.Errorf("%.64q is not a variable that the system sets for this bundle: it sets %s",
				"NEXUS_"+name, strings.Join(m.variables(), ", "))
		}
	}
}

// variables are the names of what the system sets in the environment of the bundle's program, of those that begin with
// NEXUS_.
func (m Manifest) variables() []string {
	names := []string{"NEXUS_BUNDLE", "NEXUS_SLOT", "NEXUS_VERSION"}
	for _, text := range m.Powers() {
		switch p, err := powers.Parse(text); {
		case err != nil:
		case p.Kind == powers.State:
			names = append(names, "NEXUS_STATE")
		case p.Kind == powers.Data:
			names = append(names, p.Variable())
		}
	}
	return names
}

func isVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
