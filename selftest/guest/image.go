package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
	"nexus/selftest/image"
	"nexus/selftest/kernel"
)

// imageVerb builds an image of the binary that `make` has put into the architecture's folder, and of the demo's keys
// and sets, unless others are named.
type imageVerb struct {
	Arch    string   `arg:"" enum:"riscv64,amd64" help:"Architecture: riscv64 or amd64."`
	Trust   []string `placeholder:"KEY" sep:"none" help:"Public key that the system trusts, instead of the demo's: a file or its text; with apps= before it for apps. Repeatable."`
	Factory string   `placeholder:"SET" help:"System set (.nxs) of the first start, instead of the demo's, with --trust."`
}

// Run builds it.
func (v *imageVerb) Run(g *grammar) error {
	p := g.place(v.Arch)
	found, err := kernel.Find(p.cache, p.arch)
	if err != nil {
		return err
	}
	spec, err := v.spec(p, found)
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

// spec is the image that was asked for. With keys of its own nothing of the demo is in it: the demo's sets are signed
// by the demo's key, which that system does not trust.
func (v *imageVerb) spec(p place, found kernel.Cached) (image.Spec, error) {
	switch {
	case len(v.Trust) > 0:
		return image.Spec{
			Arch: p.arch, Binary: p.at("nexus"), Trust: v.Trust, Factory: v.Factory,
			Modules: found.Modules, DiskFS: found.DiskFS,
		}, v.check()
	case v.Factory != "":
		return image.Spec{}, errors.New("cannot build image: --factory needs --trust: the key that signed the set")
	}
	return p.spec(found)
}

// check refuses a set that is damaged, or that none of the keys has signed: a guest could only say so when it starts.
func (v *imageVerb) check() error {
	if v.Factory == "" {
		return nil
	}
	var anchors trust.Anchors
	for _, source := range v.Trust {
		role, key, err := trust.ReadTrusted(source)
		if err != nil {
			return fmt.Errorf("cannot trust %s: %w", trust.Shown(source), err)
		}
		anchors = anchors.Add(role, key)
	}
	if err := verify(v.Factory, anchors); err != nil {
		return fmt.Errorf("cannot start from %s: %w", v.Factory, err)
	}
	return nil
}

func verify(set string, anchors trust.Anchors) error {
	f, err := os.Open(set)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, _, err = nxs.VerifyFile(context.Background(), f, info.Size(), nxs.DefaultLimits(),
		func(message, signature []byte) (trust.PublicKey, error) {
			return anchors.Verify(trust.RoleSystem, message, signature)
		})
	return err
}

// spec is the image of the demo: it starts from v1.0.0 and has all sets for the selftest.
func (p place) spec(found kernel.Cached) (image.Spec, error) {
	sets, err := filepath.Glob(p.at("demo", "*.nxs")) // sorted
	return image.Spec{
		Arch:    p.arch,
		Binary:  p.at("nexus"),
		Trust:   []string{p.at("demo", "keys", "demo.pub"), trust.AppsMark + p.at("demo", "keys", "apps.pub")},
		Factory: p.at("demo", "system-v1.0.0.nxs"),
		Sets:    sets,
		Modules: found.Modules,
		DiskFS:  found.DiskFS,
	}, err
}
