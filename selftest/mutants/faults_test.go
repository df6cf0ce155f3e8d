package mutants

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// The faults, a file for each area. A fault is a block of lines:
//
//	id: the promise that it breaks
//	in PLACE, seen by PACKAGE... [-run PATTERN]
//	-what stands there
//	+what takes its place
//
// The place is a package, or a file where a package says the same twice. The lines stand there once; how they are
// spaced does not matter. Without a line with + they are taken out.
//
//go:embed faults/*.txt
var faults embed.FS

// mutants is the whole list, by area.
func mutants() ([]mutant, error) {
	names, err := fs.Glob(faults, "faults/*.txt")
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, name := range names {
		raw, err := faults.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for block := range strings.SplitSeq(strings.TrimSpace(string(raw)), "\n\n") {
			m, err := parse(block)
			if err != nil {
				return nil, fmt.Errorf("cannot read %s: %w", name, err)
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// parse reads a fault.
func parse(block string) (mutant, error) {
	lines := strings.Split(block, "\n")
	if len(lines) < 3 {
		return mutant{}, fmt.Errorf("a fault has at least three lines, not %q", block)
	}
	var m mutant
	var named, placed, seen bool
	m.id, m.breaks, named = strings.Cut(lines[0], ": ")
	m.place, placed = strings.CutPrefix(lines[1], "in ")
	m.place, m.tests.packages, seen = strings.Cut(m.place, ", seen by ")
	m.tests.packages, m.tests.run, _ = strings.Cut(m.tests.packages, " -run ")
	if !named || !placed || !seen {
		return mutant{}, fmt.Errorf("%q has not the two lines that a fault begins with", block)
	}
	var old, instead []string
	for _, line := range lines[2:] {
		text, taken := strings.CutPrefix(line, "-")
		switch {
		case taken && len(instead) == 0:
			old = append(old, text)
		case strings.HasPrefix(line, "+"):
			instead = append(instead, line[1:])
		default:
			return mutant{}, fmt.Errorf("%s: %q is no line of a fault", m.id, line)
		}
	}
	m.old, m.new = strings.Join(old, "\n"), strings.TrimLeft(strings.Join(instead, "\n"), "\t")
	if slices.Contains([]string{"", m.new}, strings.TrimSpace(m.old)) {
		return mutant{}, fmt.Errorf("%s changes nothing", m.id)
	}
	return m, nil
}
