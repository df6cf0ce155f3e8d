package mutants

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A mutant is one seeded fault.
type mutant struct {
	id       string // area and fault, in kebab-case
	breaks   string // the promise that no longer holds
	place    string // the folder of the package, or a file of it; relative to the module
	old, new string // what stands there once, however it is spaced, and what takes its place
	tests    suite  // who must notice
}

// A suite is a choice of tests.
type suite struct {
	packages string // separated by spaces, relative to the module
	run      string // pattern of test names; empty for all
}

// A change is a file of the module with the fault in it.
type change struct {
	file    string // relative to the module
	content []byte
}

// apply returns the one file that changes, with the fault in it.
func (m mutant) apply(module string) (change, error) {
	place := m.place
	if !strings.HasSuffix(place, ".go") {
		place = filepath.Join(place, "*.go")
	}
	files, err := filepath.Glob(filepath.Join(module, place))
	if err != nil {
		return change{}, err
	}
	var found []change
	pattern := spaced(m.old)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return change{}, fmt.Errorf("cannot apply %s: %w", m.id, err)
		}
		for _, at := range pattern.FindAllIndex(raw, -1) {
			content := append(append(append([]byte{}, raw[:at[0]]...), m.new...), raw[at[1]:]...)
			found = append(found, change{filepath.Join(filepath.Dir(place), filepath.Base(file)), content})
		}
	}
	if len(found) != 1 {
		return change{}, fmt.Errorf("cannot apply %s: the text stands in %s %d times, not once", m.id, m.place, len(found))
	}
	return found[0], nil
}

// spaced matches a text however it is spaced: neither the fill of a line nor its depth makes it another one.
func spaced(text string) *regexp.Regexp {
	words := strings.Fields(text)
	for i, word := range words {
		words[i] = strings.ReplaceAll(regexp.QuoteMeta(word), `\(`, `\(\s*`)
	}
	return regexp.MustCompile(strings.Join(words, `\s+`))
}
