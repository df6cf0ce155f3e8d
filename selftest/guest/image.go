package main

import (
	"fmt"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"nexus/selftest/image"
	"nexus/selftest/kernel"
)

// imageVerb builds an image of what `make` has put into the architecture's folder: the binary and the demo's sets.
type imageVerb struct {
	Arch string `arg:"" enum:"riscv64,amd64" help:"Architecture: riscv64 or amd64."`
}

// Run builds it.
func (v *imageVerb) Run(g *grammar) error {
	p := g.place(v.Arch)
	found, err := kernel.Find(p.cache, p.arch)
	if err != nil {
		return err
	}
	spec, err := p.spec(found.Modules)
	if err != nil {
		return err
	}
	size, err := image.WriteFile(p.image(), spec)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", p.image(), humanize.IBytes(uint64(size)))
	return nil
}

// spec is the image of the demo: it starts from v1.0.0 and has all sets for the selftest.
func (p place) spec(modules []string) (image.Spec, error) {
	sets, err := filepath.Glob(p.at("demo", "*.nxs")) // sorted
	return image.Spec{
		Arch:    p.arch,
		Binary:  p.at("nexus"),
		Trust:   []string{p.at("demo", "keys", "demo.pub")},
		Factory: p.at("demo", "system-v1.0.0.nxs"),
		Sets:    sets,
		Modules: modules,
	}, err
}
