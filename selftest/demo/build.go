package demo

import (
	"fmt"
	"os"
	"os/exec"
)

// Build builds the programs of a system for this host into a folder: nexus, nx and the packers. It is for tests; people
// use `make build`.
func Build(bin string) error {
	cmd := exec.Command("go", "build", "-o", bin+"/", "nexus/daemons/nexus", "nexus/nx", "nexus/nxspack/nxs-pack",
		"nexus/nxspack/nxb-pack")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // a confined daemon may not run the dynamic linker
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return nil
}
