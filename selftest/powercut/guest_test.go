package main

import (
	"os"
	"strings"
	"testing"
)

// inGuests runs a test for each architecture that `make test-os` has prepared.
func inGuests(t *testing.T, f func(t *testing.T, g *grammar)) {
	list := strings.Fields(os.Getenv("NEXUS_GUESTS"))
	if len(list) == 0 {
		t.Skip("needs QEMU, kernels and images: `make test-os` prepares them and runs this")
	}
	for _, arch := range list {
		t.Run(arch, func(t *testing.T) {
			f(t, &grammar{Arch: arch, Seed: 1, Cache: "../../.cache/guest", Out: "../../out/guest", Bin: "../../bin"})
		})
	}
}

// TestReplay does a bounded part of what `make powercut` does.
func TestReplay(t *testing.T) {
	inGuests(t, func(t *testing.T, g *grammar) {
		if err := (&replayVerb{Losses: 1, Boots: 1}).run(t.Context(), g, t.TempDir(), t.Output()); err != nil {
			t.Error(err)
		}
	})
}

func TestKill(t *testing.T) {
	inGuests(t, func(t *testing.T, g *grammar) {
		if err := (&killVerb{Cycles: 3}).run(t.Context(), g, t.TempDir(), t.Output()); err != nil {
			t.Error(err)
		}
	})
}
