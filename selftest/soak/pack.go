package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"nexus/libupdates/refusal"
	"nexus/selftest/oracle"
)

// Policy of the system under test, smaller than the default so that what is too large need not be large.
const (
	limitArchive = 16 << 20
	limitPayload = 8 << 20
)

// A Packer makes sets out of those of the demo, by the packers' own command lines.
type Packer struct {
	bin  string // where the packers are
	demo string // the demo's sets and keys
	dir  string // where to work, and where the sets go
}

func (p Packer) at(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

func (p Packer) key() string { return filepath.Join(p.demo, "keys", "demo") }

// all makes every set there is. The first is the one to begin with.
func (p Packer) all() (oracle.Sets, error) {
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, err
	}
	var sets oracle.Sets
	for _, make := range []func() (oracle.Sets, error){p.given, p.good, p.broken, p.unfit, p.refused} {
		more, err := make()
		if err != nil {
			return nil, err
		}
		sets = append(sets, more...)
	}
	for _, s := range sets {
		if s.Fate == oracle.Refused && !s.Behind {
			continue
		}
		if err := s.Load(); err != nil && (!s.Behind || s.Digest == "") {
			return nil, err
		}
	}
	return sets, nil
}

// given are the demo's own sets.
func (p Packer) given() (oracle.Sets, error) {
	file := func(name string) string { return filepath.Join(p.demo, name) }
	return oracle.Sets{
		{Name: "demo 1.0.0", File: file("system-v1.0.0.nxs"), Version: "1.0.0"},
		{Name: "demo 1.1.0", File: file("system-v1.1.0.nxs"), Version: "1.1.0"},
		{Name: "service exits", File: file("system-v1.2.0.nxs"), Version: "1.2.0", Fate: oracle.Broken,
			Reason: refusal.ServiceExited},
		{Name: "bad signature", File: file("bad-signature.nxs"), Fate: oracle.Refused,
			Reason: refusal.InvalidSignature},
		{Name: "bad digest", File: file("bad-digest.nxs"), Fate: oracle.Refused, Reason: refusal.DigestMismatch,
			Behind: true},
	}, nil
}

// good are more healthy sets: one with the programs of another, and one with fewer.
func (p Packer) good() (oracle.Sets, error) {
	if err := p.extract("1.0.0"); err != nil {
		return nil, err
	}
	if err := p.extract("1.1.0"); err != nil {
		return nil, err
	}
	same, err := p.pack("2.0.0", p.key(), p.at("1.1.0", "hello.nxb"), p.at("1.1.0", "ticker.nxb"))
	if err != nil {
		return nil, err
	}
	mixed, err := p.pack("2.1.0", p.key(), p.at("1.0.0", "hello.nxb"), p.at("1.1.0", "ticker.nxb"))
	if err != nil {
		return nil, err
	}
	fewer, err := p.pack("2.2.0", p.key(), p.at("1.0.0", "ticker.nxb"))
	if err != nil {
		return nil, err
	}
	same.Name, mixed.Name, fewer.Name = "same programs", "programs of two sets", "one program"
	return oracle.Sets{same, mixed, fewer}, nil
}

// broken are sets whose services cannot become healthy.
func (p Packer) broken() (oracle.Sets, error) {
	native := `"nexus.ability.Service", "nexus.ability.Native"`
	if err := p.bundle("lies/hello.nxb", "hello", "3.0.0", native,
		p.at("1.1.0", "hello.nxb", "payload.elf")); err != nil {
		return nil, err
	}
	lies, err := p.pack("3.0.0", p.key(), p.at("lies", "hello.nxb"), p.at("1.1.0", "ticker.nxb"))
	if err != nil {
		return nil, err
	}
	if err := p.bundle("mute/ticker.nxb", "ticker", "3.1.0", native,
		p.at("1.1.0", "ticker.nxb", "payload.elf")); err != nil {
		return nil, err
	}
	mute, err := p.pack("3.1.0", p.key(), p.at("1.0.0", "hello.nxb"), p.at("mute", "ticker.nxb"))
	if err != nil {
		return nil, err
	}
	lies.Name, lies.Fate, lies.Reason = "service answers as another version", oracle.Broken, refusal.ServiceUnhealthy
	mute.Name, mute.Fate, mute.Reason = "service never answers", oracle.Broken, refusal.HealthTimeout
	return oracle.Sets{lies, mute}, nil
}

// unfit is a set with a program for another machine.
func (p Packer) unfit() (oracle.Sets, error) {
	program, err := os.ReadFile(p.at("1.1.0", "ticker.nxb", "payload.elf"))
	if err != nil {
		return nil, err
	}
	const machine = 18 // e_machine in an ELF header
	other := elf.EM_RISCV
	if binary.LittleEndian.Uint16(program[machine:]) == uint16(other) {
		other = elf.EM_X86_64
	}
	binary.LittleEndian.PutUint16(program[machine:], uint16(other))
	foreign := p.at("foreign.elf")
	if err := os.WriteFile(foreign, program, 0o644); err != nil {
		return nil, err
	}
	if err := p.bundle("foreign/ticker.nxb", "ticker", "4.0.0", `"nexus.ability.Service"`, foreign); err != nil {
		return nil, err
	}
	set, err := p.pack("4.0.0", p.key(), p.at("1.1.0", "hello.nxb"), p.at("foreign", "ticker.nxb"))
	if err != nil {
		return nil, err
	}
	set.Name, set.Fate, set.Reason = "wrong architecture", oracle.Unfit, refusal.WrongArchitecture
	return oracle.Sets{set}, nil
}

// refused are archives that must never be staged.
func (p Packer) refused() (oracle.Sets, error) {
	raw, err := os.ReadFile(filepath.Join(p.demo, "system-v1.1.0.nxs"))
	if err != nil {
		return nil, err
	}
	sets := oracle.Sets{
		{Name: "truncated in a payload", File: p.at("truncated.nxs"), Reason: refusal.Truncated, Behind: true},
		{Name: "truncated in the index", File: p.at("stub.nxs"), Reason: refusal.Truncated},
		{Name: "more after the end", File: p.at("trailing.nxs"), Reason: refusal.TrailingData, Behind: true},
		{Name: "oversized archive", File: p.at("oversized.nxs"), Reason: refusal.ArchiveTooLarge},
	}
	for i, damaged := range [][]byte{raw[:len(raw)*2/3], raw[:700], append(bytes.Clone(raw), "more"...), raw} {
		if err := os.WriteFile(sets[i].File, damaged, 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.Truncate(p.at("oversized.nxs"), limitArchive+1); err != nil {
		return nil, err
	}
	heavy, err := p.heavy()
	if err != nil {
		return nil, err
	}
	foreign, err := p.untrusted()
	if err != nil {
		return nil, err
	}
	sets = append(sets, heavy, foreign)
	for _, s := range sets {
		s.Fate = oracle.Refused
	}
	return sets, nil
}

// heavy is a set with a payload over the system's limit, and below the packers'.
func (p Packer) heavy() (*oracle.Set, error) {
	blob := p.at("blob")
	if err := os.WriteFile(blob, make([]byte, limitPayload+1), 0o644); err != nil {
		return nil, err
	}
	if err := p.bundle("heavy/blob.nxb", "blob", "5.0.0", `"nexus.ability.Main"`, blob); err != nil {
		return nil, err
	}
	set, err := p.pack("5.0.0", p.key(), p.at("heavy", "blob.nxb"))
	if err != nil {
		return nil, err
	}
	set.Name, set.Reason = "oversized payload", refusal.PayloadTooLarge
	return set, nil
}

// untrusted is a set of a publisher nobody trusts.
func (p Packer) untrusted() (*oracle.Set, error) {
	stranger := p.at("stranger")
	if err := p.run("nxs-pack", "keygen", "--output", stranger); err != nil {
		return nil, err
	}
	set, err := p.pack("6.0.0", stranger, p.at("1.1.0", "hello.nxb"), p.at("1.1.0", "ticker.nxb"))
	if err != nil {
		return nil, err
	}
	set.Name, set.Reason = "stranger's signature", refusal.UntrustedPublisher
	return set, nil
}

// extract takes one of the demo's sets apart.
func (p Packer) extract(version string) error {
	return p.run("nxs-pack", "extract", "--trust", p.key()+".pub", "--output", p.at(version),
		filepath.Join(p.demo, "system-v"+version+".nxs"))
}

// bundle packs one bundle.
func (p Packer) bundle(output, name, version, abilities, payload string) error {
	manifest := p.at(name + "-" + version + ".toml")
	text := fmt.Sprintf("name = %q\nversion = %q\nabilities = [%s]\ncaps = []\nmin_sdk = \"1.0.0\"\n", name, version,
		abilities)
	if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.at(output)), 0o755); err != nil {
		return err
	}
	return p.run("nxb-pack", "--toml", manifest, "--key", p.key(), payload, p.at(output))
}

// pack packs bundles into a set of that version.
func (p Packer) pack(version, key string, bundles ...string) (*oracle.Set, error) {
	input, meta, output := p.at("set-"+version), p.at("set-"+version+".toml"), p.at("system-v"+version+".nxs")
	for _, bundle := range bundles {
		if err := os.CopyFS(filepath.Join(input, filepath.Base(bundle)), os.DirFS(bundle)); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(meta, fmt.Appendf(nil, "system_version = %q\n", version), 0o644); err != nil {
		return nil, err
	}
	set := &oracle.Set{File: output, Version: version}
	return set, p.run("nxs-pack", "--input", input, "--meta", meta, "--key", key, "--output", output)
}

func (p Packer) run(name string, args ...string) error {
	out, err := exec.Command(filepath.Join(p.bin, name), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot run %s %q: %w: %s", name, args, err, out)
	}
	return nil
}
