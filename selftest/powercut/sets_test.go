package powercut

import (
	"fmt"
	"os"
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

// brought returns the sets: those of the demo for an architecture, and one more. All but the first have the healthy
// services of the demo, and a program that keeps state. In the broken one it exits once it has done so; its manifest
// says there that it tells whether it is healthy, which it never does, so it cannot be taken for healthy before.
func brought(t testing.TB, arch, bin, from, work string) oracle.Sets {
	sets := append(oracle.Demo(from), &oracle.Set{Name: third, Version: third})
	p := demo.Packer{Bin: bin, Key: filepath.Join(from, "keys", "demo")}
	for _, s := range []struct {
		version, mode, abilities string
		index                    []string
	}{
		{second, "", demo.Plain, nil}, {broken, "exit", demo.Native, nil},
		{third, "", demo.Plain, []string{fmt.Sprintf("version_floor = %q", second)}},
	} {
		dir := filepath.Join(work, s.version)
		in, program := filepath.Join(dir, "bundles"), filepath.Join(dir, counter)
		kit.Must(t, os.CopyFS(in, os.DirFS(filepath.Join(from, "work", second, "bundles"))))
		kit.Must(t, p.Run("env", "GOOS=linux", "GOARCH="+arch, "go", "build", "-trimpath", "-buildvcs=false",
			"-ldflags=-s -w -X main.version="+s.version+" -X main.mode="+s.mode, "-o", program,
			"nexus/selftest/demo/counter"))
		m := demo.Manifest{Name: counter, Version: s.version, Abilities: s.abilities, Caps: `"state:1MiB"`}
		kit.Must(t, p.Bundle(m, program, in))
		set := sets.Named(s.version)
		set.File = filepath.Join(dir, "system.nxs")
		kit.Must(t, p.Set(in, s.version, set.File, s.index...))
	}
	kit.Must(t, sets.Load())
	return sets
}

// statePolicy lets that program keep state.
const statePolicy = `[[allow]]
publisher = "*"
bundle = "counter"
powers = ["state:1MiB"]
`
