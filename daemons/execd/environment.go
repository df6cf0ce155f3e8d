package execd

import (
	"maps"
	"slices"
	"strings"

	"nexus/capnpgen/bootrecord"
)

// environment is the environment of a bundle, except for what its sockets add.
func environment(spec spec, given endowment) []string {
	all := given.variables(spec)
	if given.state != "" { // the first by the convention of systemd.exec(5)
		all = append(all, "STATE_DIRECTORY="+given.state)
		if !slices.ContainsFunc(spec.environ, func(v string) bool { return strings.HasPrefix(v, "HOME=") }) {
			all = append(all, "HOME="+given.state)
		}
	}
	return append(all, given.fill(spec, spec.environ)...)
}

// variables are those by which the system tells a program what it got.
func (e endowment) variables(spec spec) []string {
	all := []string{
		"NEXUS_BUNDLE=" + spec.name,
		"NEXUS_SLOT=" + slotName(spec.slot),
		"NEXUS_VERSION=" + spec.version,
	}
	if e.state != "" {
		all = append(all, "NEXUS_STATE="+e.state)
	}
	for _, name := range slices.Sorted(maps.Keys(e.data)) {
		all = append(all, name+"="+e.data[name])
	}
	return all
}

// fill puts the values of these variables where texts refer to them, as `${NEXUS_STATE}`.
func (e endowment) fill(spec spec, texts []string) (filled []string) {
	var pairs []string
	for _, variable := range e.variables(spec) {
		name, value, _ := strings.Cut(variable, "=")
		pairs = append(pairs, "${"+name+"}", value)
	}
	values := strings.NewReplacer(pairs...)
	for _, text := range texts {
		filled = append(filled, values.Replace(text))
	}
	return filled
}

func slotName(s bootrecord.Slot) string { return s.String() }
