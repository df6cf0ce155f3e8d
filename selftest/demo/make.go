// Package demo packs system sets from real programs, using the packers' command lines. It does not sign or pack
// anything itself.
package demo

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// The sets of the update flow: two healthy ones, and one whose service exits. A mode selects, at build time, what the
// native service does.
var sets = []struct{ version, mode string }{{"1.0.0", "ok"}, {"1.1.0", "ok"}, {"1.2.0", "exit"}}

// The programs of each set, packages of this module, and the bundles that they are in.
var programs = []struct{ bundle, source, abilities string }{{"hello", "hello", Native}, {"ticker", "plain", Plain}}

// App is the name of the app of the flow. Of each version of the sets there is one of the app, with the native program
// of the set.
const App = "greeter"

// Make packs all sets into output, with programs for one architecture (as Go calls it). Those of the system are signed
// with the demo's own key, output/keys/demo, those of the app with another, output/keys/apps; the first run makes both,
// and their public keys beside them. It also makes two damaged sets. bin is the folder of the packers. Each command is
// shown on w.
func Make(bin, output, arch string, w io.Writer) error {
	p := packer(bin, output, w)
	apps := p
	apps.Key = filepath.Join(filepath.Dir(p.Key), "apps")
	if err := errors.Join(p.keygen(), apps.keygen()); err != nil {
		return err
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
		app := Manifest{Name: App, Version: set.version, Abilities: Native}
		if err := apps.Bundle(app, filepath.Join(work, programs[0].bundle), filepath.Join(work, "app")); err != nil {
			return err
		}
		if err := apps.Set(filepath.Join(work, "app"), set.version, file("app-v"+set.version+".nxs")); err != nil {
			return err
		}
	}
	return errors.Join(damage(file("system-v1.1.0.nxs"), file("bad-signature.nxs"), "system.sig.ed25519"),
		damage(file("system-v1.1.0.nxs"), file("bad-digest.nxs"), "hello.nxb/payload.elf"))
}

// keygen makes the key, unless it is there.
func (p Packer) keygen() error {
	if _, err := os.Stat(p.Key); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.Key), 0o700); err != nil {
		return err
	}
	return p.Run(filepath.Join(p.Bin, "nxs-pack"), "keygen", "--output", p.Key)
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

// damage copies a set and flips the first bit of one of its entries.
func damage(from, to, entry string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	at, err := contentOf(raw, entry)
	if err != nil {
		return fmt.Errorf("cannot damage %s: %w", from, err)
	}
	raw[at] ^= 1
	return os.WriteFile(to, raw, 0o644)
}

// contentOf returns the offset of an entry's content.
func contentOf(archive []byte, entry string) (int64, error) {
	in := bytes.NewReader(archive)
	headers := tar.NewReader(in)
	for {
		h, err := headers.Next()
		if err != nil {
			return 0, fmt.Errorf("no entry %s: %w", entry, err)
		}
		if h.Name == entry && h.Size > 0 {
			return in.Seek(0, io.SeekCurrent)
		}
	}
}
