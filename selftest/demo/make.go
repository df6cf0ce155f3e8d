// Package demo packs system sets from real programs, using the packers' command lines. It does not sign or pack
// anything itself.
package demo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Set is one system set to pack.
type Set struct {
	Version string
	Bundles []Bundle
}

// A Bundle is one program of a set. Source is a package of this module; Mode selects, at build time, what the program
// does.
type Bundle struct {
	Name   string
	Source string
	Mode   string
}

// Sets returns the sets of the update flow: two healthy ones and one whose service exits.
func Sets() []Set {
	return []Set{
		{"1.0.0", []Bundle{{"hello", "hello", "ok"}, {"ticker", "plain", "ok"}}},
		{"1.1.0", []Bundle{{"hello", "hello", "ok"}, {"ticker", "plain", "ok"}}},
		{"1.2.0", []Bundle{{"hello", "hello", "exit"}, {"ticker", "plain", "ok"}}},
	}
}

// Make packs all sets into output, with programs for one architecture (as Go calls it). They are signed with the demo's
// own key, which the first run makes: output/keys/demo and output/keys/demo.pub. It also makes two damaged sets. bin is
// the folder of the packers. Each command is shown on w.
func Make(bin, output, arch string, w io.Writer) error {
	m := maker{bin: bin, output: output, arch: arch, show: w}
	if err := m.key(); err != nil {
		return err
	}
	for _, set := range Sets() {
		if err := m.set(set); err != nil {
			return err
		}
	}
	for name, entry := range damaged() {
		if err := damage(m.at("system-v1.1.0.nxs"), m.at(name), entry); err != nil {
			return err
		}
	}
	return nil
}

// A maker runs commands and shows them.
type maker struct {
	bin    string
	output string
	arch   string
	show   io.Writer
}

func (m maker) at(parts ...string) string {
	return filepath.Join(append([]string{m.output}, parts...)...)
}

// key makes the demo's signing key, unless it exists.
func (m maker) key() error {
	if err := os.MkdirAll(m.at("keys"), 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(m.at("keys", "demo")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return m.run(filepath.Join(m.bin, "nxs-pack"), "keygen", "--output", m.at("keys", "demo"))
}

// set builds and packs one set.
func (m maker) set(s Set) error {
	work := m.at("work", s.Version)
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	bundles := filepath.Join(work, "bundles")
	if err := os.MkdirAll(bundles, 0o755); err != nil {
		return err
	}
	for _, b := range s.Bundles {
		if err := m.bundle(work, s.Version, b); err != nil {
			return err
		}
	}
	meta := filepath.Join(work, "system-set.toml")
	if err := os.WriteFile(meta, fmt.Appendf(nil, "system_version = %q\n", s.Version), 0o644); err != nil {
		return err
	}
	return m.run(filepath.Join(m.bin, "nxs-pack"), "--input", bundles, "--meta", meta,
		"--key", m.at("keys", "demo"), "--output", m.at("system-v"+s.Version+".nxs"))
}

// bundle builds one program and packs it.
func (m maker) bundle(work, version string, b Bundle) error {
	program := filepath.Join(work, b.Name)
	flags := fmt.Sprintf("-s -w -X main.version=%s -X main.mode=%s", version, b.Mode)
	if err := m.run("go", "build", "-trimpath", "-buildvcs=false", "-ldflags="+flags, "-o", program,
		"nexus/selftest/demo/"+b.Source); err != nil {
		return err
	}
	manifest := filepath.Join(work, b.Name+".toml")
	abilities := `"nexus.ability.Service"`
	if b.Source == "hello" {
		abilities += `, "nexus.ability.Native"`
	}
	text := fmt.Sprintf(
		"name = %q\nversion = %q\nabilities = ["+abilities+"]\ncaps = [\"BundleMgr\"]\nmin_sdk = \"1.0.0\"\n", b.Name,
		version)
	if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
		return err
	}
	return m.run(filepath.Join(m.bin, "nxb-pack"), "--toml", manifest, "--key", m.at("keys", "demo"),
		program, filepath.Join(work, "bundles", b.Name+".nxb"))
}

func (m maker) run(name string, args ...string) error {
	fmt.Fprintln(m.show, "$", filepath.Base(name), strings.Join(args, " "))
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if name == "go" {
		cmd.Env = append(cmd.Env, "GOOS=linux", "GOARCH="+m.arch)
	}
	cmd.Stdout, cmd.Stderr = m.show, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s: %w", filepath.Base(name), err)
	}
	return nil
}
