package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// A mutant is one seeded fault.
type mutant struct {
	id       string // area and fault, in kebab-case
	breaks   string // the promise that no longer holds
	file     string // relative to the module
	old, new string // what stands there, exactly once, and what takes its place
	tests    suite  // who must notice
}

// A suite is a choice of tests.
type suite struct {
	packages string // separated by spaces, relative to the module
	run      string // pattern of test names; empty for all
}

// apply returns the file with the fault in it.
func (m mutant) apply(module string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(module, m.file))
	if err != nil {
		return nil, fmt.Errorf("cannot apply %s: %w", m.id, err)
	}
	if n := bytes.Count(raw, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("cannot apply %s: the text stands in %s %d times, not once", m.id, m.file, n)
	}
	return bytes.Replace(raw, []byte(m.old), []byte(m.new), 1), nil
}

// mutants is the whole list, in the order of the house: the domain, then the daemons, then the operator's command.
func mutants() []mutant {
	var all []mutant
	for _, part := range [][]mutant{
		durableMutants(), slotsMutants(), nxsMutants(), trustMutants(), bootctlMutants(), healthMutants(),
		watchMutants(), blameMutants(), endMutants(), policyMutants(), stateMutants(), diskMutants(), packerMutants(),
		platMutants(), updatedMutants(), bundlemgrdMutants(), initdMutants(), coreMutants(), markMutants(),
		keystoredMutants(), execdMutants(), vatMutants(), nxMutants(), journalMutants(),
	} {
		all = append(all, part...)
	}
	return all
}
