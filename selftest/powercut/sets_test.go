package powercut

import (
	"fmt"
	"path/filepath"
	"testing"

	"nexus/libupdates/refusal"
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
	file := func(version string) string { return filepath.Join(from, "system-v"+version+".nxs") }
	sets := oracle.Sets{
		{Name: factory, File: file(factory), Version: factory},
		{Name: second, File: file(second), Version: second},
		{Name: third, File: filepath.Join(work, "system-v"+third+".nxs"), Version: third},
		{Name: broken, File: file(broken), Version: broken, Fate: oracle.Broken, Reason: refusal.ServiceExited},
		{Name: forged, File: filepath.Join(from, "bad-signature.nxs"), Fate: oracle.Refused,
			Reason: refusal.InvalidSignature},
	}
	p := demo.Packer{Bin: bin, Key: filepath.Join(from, "keys", "demo")}
	kit.Must(t, p.Set(filepath.Join(from, "work", second, "bundles"), third, sets[2].File,
		fmt.Sprintf("version_floor = %q", second)))
	for _, s := range sets {
		if s.Fate != oracle.Refused {
			kit.Must(t, s.Load())
		}
	}
	return sets
}

// named returns the set with this name.
func named(sets oracle.Sets, name string) *oracle.Set {
	for _, s := range sets {
		if s.Name == name {
			return s
		}
	}
	return nil
}
