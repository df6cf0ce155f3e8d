package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"nexus/libupdates/refusal"
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
func brought(bin, demo, work string) (oracle.Sets, error) {
	file := func(version string) string { return filepath.Join(demo, "system-v"+version+".nxs") }
	sets := oracle.Sets{
		{Name: factory, File: file(factory), Version: factory},
		{Name: second, File: file(second), Version: second},
		{Name: third, File: filepath.Join(work, "system-v"+third+".nxs"), Version: third},
		{Name: broken, File: file(broken), Version: broken, Fate: oracle.Broken, Reason: refusal.ServiceExited},
		{Name: forged, File: filepath.Join(demo, "bad-signature.nxs"), Fate: oracle.Refused,
			Reason: refusal.InvalidSignature},
	}
	meta := filepath.Join(work, "system-set.toml")
	if err := os.WriteFile(meta, fmt.Appendf(nil, "system_version = %q\nversion_floor = %q\n", third, second),
		0o600); err != nil {
		return nil, err
	}
	out, err := exec.Command(filepath.Join(bin, "nxs-pack"), "--input", filepath.Join(demo, "work", second, "bundles"),
		"--meta", meta,
		"--key", filepath.Join(demo, "keys", "demo"), "--output", sets[2].File).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("cannot pack %s: %w: %s", third, err, out)
	}
	for _, s := range sets {
		if s.Fate == oracle.Refused {
			continue
		}
		if err := s.Load(); err != nil {
			return nil, err
		}
	}
	return sets, nil
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
