package demo

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"nexus/libupdates/nxs"
)

// A Packer packs bundles and sets with the packers' own commands.
type Packer struct {
	Bin  string    // folder of the packers
	Key  string    // the publisher's
	Show io.Writer // gets each command; nil: nothing does
}

// packer is the demo's own, for what Make has put into output.
func packer(bin, output string, show io.Writer) Packer {
	return Packer{Bin: bin, Key: filepath.Join(output, "keys", "demo"), Show: show}
}

// A Manifest is what a bundle's manifest says. Lists are as TOML has them, between the brackets.
type Manifest struct{ Name, Version, Abilities, Caps, Args string }

// Abilities of bundles.
const (
	Plain  = `"nexus.ability.Service"`
	Native = `"nexus.ability.Service", "nexus.ability.Native"`
)

// Bundle packs a program into a folder of bundles. The manifest's source stays beside that folder.
func (p Packer) Bundle(m Manifest, program, bundles string) error {
	source := filepath.Join(filepath.Dir(bundles), m.Name+".toml")
	text := fmt.Sprintf("name = %q\nversion = %q\nabilities = [%s]\ncaps = [%s]\nmin_sdk = \"1.0.0\"\n",
		m.Name, m.Version, m.Abilities, m.Caps)
	if m.Args != "" {
		text += "args = [" + m.Args + "]\n"
	}
	if err := os.MkdirAll(bundles, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		return err
	}
	return p.Run(filepath.Join(p.Bin, "nxb-pack"), "--toml", source, "--key", p.Key, program,
		filepath.Join(bundles, m.Name+".nxb"))
}

// Tree packs a tree as a data bundle into a folder of bundles. The manifest's source stays beside that folder.
func (p Packer) Tree(name, version, tree, bundles string) error {
	source := filepath.Join(filepath.Dir(bundles), name+".toml")
	text := fmt.Sprintf("name = %q\nversion = %q\n", name, version)
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		return err
	}
	return p.Run(filepath.Join(p.Bin, "nxb-pack"), "--toml", source, "--key", p.Key, "--tree", tree,
		filepath.Join(bundles, name+".nxb"))
}

// Set packs a folder of bundles into a set. The source of its index stays beside it; more are further lines of that.
func (p Packer) Set(bundles, version, set string, more ...string) error {
	source := strings.TrimSuffix(set, ".nxs") + ".toml"
	lines := append([]string{fmt.Sprintf("system_version = %q", version)}, more...)
	if err := os.WriteFile(source, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	return p.Run(filepath.Join(p.Bin, "nxs-pack"), "--input", bundles, "--meta", source, "--key", p.Key, "--output", set)
}

// Run runs a command, and shows it.
func (p Packer) Run(name string, args ...string) error {
	if p.Show != nil {
		fmt.Fprintln(p.Show, "$", filepath.Base(name), strings.Join(args, " "))
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout = p.Show
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s: %w: %s", filepath.Base(name), err, strings.TrimSpace(said.String()))
	}
	return nil
}

// WithCore packs a set, in dir, of the healthy services of v1.1.0, which Make has put into output, and of a program as
// its core. Set and core have this version. It returns the set's file.
func WithCore(bin, output, version, program, dir string) (string, error) {
	p, bundles, set := packer(bin, output, nil), filepath.Join(dir, "bundles"), filepath.Join(dir, "system.nxs")
	if err := os.CopyFS(bundles, os.DirFS(filepath.Join(output, "work", "1.1.0", "bundles"))); err != nil {
		return "", err
	}
	if err := p.Bundle(Manifest{Name: nxs.CoreName, Version: version}, program, bundles); err != nil {
		return "", err
	}
	return set, p.Set(bundles, version, set)
}

// Again packs a set of the services of v1.0.0, which Make has put into output, under another version, into dir. It
// returns the set's file.
func Again(bin, output, version, dir string) (string, error) {
	set := filepath.Join(dir, "system.nxs")
	return set, packer(bin, output, nil).Set(filepath.Join(output, "work", "1.0.0", "bundles"), version, set)
}

// Many packs a set with that many bundles into dir. Each has the plain service of v1.0.0, which Make has put into
// output, under a name of its own. It returns the set's file.
func Many(bin, output string, bundles int, dir string) (string, error) {
	p, in, set := packer(bin, output, nil), filepath.Join(dir, "bundles"), filepath.Join(dir, "system.nxs")
	for n := range bundles {
		m := Manifest{Name: fmt.Sprintf("plain-%02d", n+1), Version: "1.0.0", Abilities: Plain}
		if err := p.Bundle(m, filepath.Join(output, "work", "1.0.0", "ticker"), in); err != nil {
			return "", err
		}
	}
	return set, p.Set(in, "1.0.0", set)
}
