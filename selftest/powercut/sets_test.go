package powercut

import (
	"fmt"
	"path/filepath"
	"testing"

	"nexus/selftest/demo"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// Versions of the sets that operators stage here.
const (
	factory = "1.0.0"
	second  = "1.1.0" // the set after it
	broken  = "1.2.0" // its service exits
	third   = "1.3.0" // requires a version floor of 1.1.0
	forged  = "bad signature"
)

// brought returns the sets: those of the demo for an architecture, and one more that is packed from its bundles.
func brought(t testing.TB, bin, from, work string) oracle.Sets {
	sets := append(oracle.Demo(from), &oracle.Set{Name: third, File: filepath.Join(work, "system-v"+third+".nxs"),
		Version: third})
	p := demo.Packer{Bin: bin, Key: filepath.Join(from, "keys", "demo")}
	kit.Must(t, p.Set(filepath.Join(from, "work", second, "bundles"), third, sets.Named(third).File,
		fmt.Sprintf("version_floor = %q", second)))
	kit.Must(t, sets.Load())
	return sets
}
