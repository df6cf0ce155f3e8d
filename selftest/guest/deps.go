package main

import (
	"context"
	"fmt"
	"os"

	"nexus/selftest/kernel"
)

// depsVerb gets what guests need.
type depsVerb struct {
	Arch    []string `arg:"" enum:"riscv64,amd64" help:"Architectures: riscv64, amd64."`
	Refresh bool     `help:"Look for a newer kernel."`
}

// Run says what is there in the end.
func (v *depsVerb) Run(ctx context.Context, g *grammar) error {
	for _, arch := range v.Arch {
		got, err := kernel.Get(ctx, g.Cache, arch, v.Refresh, os.Stdout)
		if err != nil {
			return fmt.Errorf("cannot get what guest %s needs: %w", arch, err)
		}
		fmt.Printf("%s: %s, %s\n", arch, got.Package, got.Emulator)
	}
	return nil
}

// readyVerb looks for what guests need.
type readyVerb struct {
	Arch string `arg:"" enum:"riscv64,amd64" help:"Architecture: riscv64 or amd64."`
}

// Run asks nobody outside this machine.
func (v *readyVerb) Run(g *grammar) error {
	_, err := kernel.Find(g.Cache, v.Arch)
	return err
}
