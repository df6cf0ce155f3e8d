// Package demo packs system sets from real programs, using the packers' command lines. It does not sign or pack
// anything itself.
package demo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The sets of the update flow: two healthy ones, and one whose service exits. A mode selects, at build time, what the
// native service does.
var sets = []struct{ version, mode string }{{"1.0.0", "ok"}, {"1.1.0", "ok"}, {"1.2.0", "exit"}}

// The programs of each set, packages of this module, and the bundles that they are in.
var programs = []struct{ bundle, source, abilities string }{{"hello", "hello", Native}, {"ticker", "plain", Plain}}

// Make packs all sets into output, with programs for one architecture (as Go calls it). They are signed with the demo's
// own key, which the first run makes: output/keys/demo and output/keys/demo.pub. It also makes two damaged sets. bin is
// the folder of the packers. Each command is shown on w.
func Make(bin, output, arch string, w io.Writer) error {
	p := packer(bin, output, w)
	if err := os.MkdirAll(filepath.Dir(p.Key), 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(p.Key); errors.Is(err, os.ErrNotExist) {
		if err := p.Run(filepath.Join(bin, "nxs-pack"), "keygen", "--output", p.Key); err != nil {
			return err
		}
	}
	file := func(name string) string { return filepath.Join(output, name) }
	for _, set := range sets {
		work := filepath.Join(output, "work", set.version)
		if err := makeBundles(p, work, arch, set.version, set.mode); err != nil {
			return err
		}
		if err := p.Set(filepath.Join(work, "bundles"), set.version, file("system-v"+set.version+".nxs")); err != nil {
			return err
		}
	}
	return errors.Join(damage(file("system-v1.1.0.nxs"), file("bad-signature.nxs"), "system.sig.ed25519"),
		damage(file("system-v1.1.0.nxs"), file("bad-digest.nxs"), "hello.nxb/payload.elf"))
}

// makeBundles builds the programs of a set and packs them.
func makeBundles(p Packer, work, arch, version, mode string) error {
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(work, 0o755)); err != nil {
		return err
	}
	for _, program := range programs {
		built := filepath.Join(work, program.bundle)
		flags := fmt.Sprintf("-s -w -X main.version=%s -X main.mode=%s", version, mode)
		if err := p.Run("env", "GOOS=linux", "GOARCH="+arch, "go", "build", "-trimpath", "-buildvcs=false",
			"-ldflags="+flags, "-o", built, "nexus/selftest/demo/"+program.source); err != nil {
			return err
		}
		m := Manifest{Name: program.bundle, Version: version, Abilities: program.abilities, Caps: `"BundleMgr"`}
		if err := p.Bundle(m, built, filepath.Join(work, "bundles")); err != nil {
			return err
		}
	}
	return nil
}
