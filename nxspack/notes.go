package nxspack

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/powers"
)

// Notes warn, on stderr and in the JSON answer, of what is allowed but rarely intended.

// noted is the part of a JSON answer with the notes.
type noted struct {
	Notes []string `json:"notes,omitempty"`
}

// note prints the notes.
func (c *command) note(notes []string) noted {
	for _, n := range notes {
		fmt.Fprintf(c.stderr, "note: %s\n", n)
	}
	return noted{notes}
}

// bundleNotes returns notes on a packed bundle.
func bundleNotes(m nxb.Manifest, payload io.ReaderAt, size int64) (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if m.IsData() {
		return nil
	}
	if !runs(m) {
		note("no program of %s runs: it has neither %s nor %s", m.Name, nxb.AbilityService, nxb.AbilityMain)
		return notes
	}
	for _, power := range m.Powers() {
		note("%s asks for %s, which the policy of the devices has to grant", m.Name, power)
	}
	for _, name := range m.Capabilities {
		if !powers.IsPower(name) && !nxb.GrantedCapability(name) {
			note("%s asks for %s, which is not given to bundles", m.Name, name)
		}
	}
	if !isProgram(payload, size) {
		note("no device can run the payload of %s: it is not a 64-bit little-endian ELF program", m.Name)
	}
	if needs := nxb.ProgramNeeds(payload); needs.Loader != "" {
		note("the devices must have what %s needs: %s", m.Name,
			strings.Join(append([]string{needs.Loader}, needs.Libraries...), ", "))
	}
	return notes
}

// isProgram reports whether the payload is a program for any machine that the system supports.
func isProgram(payload io.ReaderAt, size int64) bool {
	return slices.ContainsFunc(machines(), func(arch string) bool {
		machine, _ := nxb.MachineOf(arch)
		return nxb.CheckELF(payload, size, machine) == nil
	})
}

// setNotes returns notes on a packed set.
func setNotes(bundles []bundleFolder) (notes []string) {
	runs, strangers := false, 0
	for _, b := range bundles {
		runs = runs || b.manifest.IsService() || b.entry.Name == nxs.CoreName
		if b.manifest.IsSigned() && !b.manifest.PublishedBy(b.publisher) {
			strangers++
		}
	}
	if !runs {
		notes = append(notes, "nothing in this set runs by itself: no bundle has "+nxb.AbilityService)
	}
	if strangers > 0 {
		notes = append(notes,
			count(strangers,
				"bundle")+" by other publishers than the set's, whose signatures were not checked here (nxs-pack verify --bundles)")
	}
	return notes
}

func machines() []string { return []string{"amd64", "arm64", "riscv64"} }
