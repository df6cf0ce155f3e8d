package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds the programs of a system for this host into a folder: nexus, nx and the packers. It is for tests; people
// use `make build`.
func Build(bin string) error {
	for name, pkg := range map[string]string{
		"nexus": "nexus/daemons/nexus", "nx": "nexus/nx",
		"nxs-pack": "nexus/nxspack/nxs-pack", "nxb-pack": "nexus/nxspack/nxb-pack",
	} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, name), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build %s: %w\n%s", name, err, out)
		}
	}
	return nil
}
