package soak

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/selftest/demo"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// Policy of the system under test, smaller than the default so that what is too large need not be large.
const (
	limitArchive = 16 << 20
	limitPayload = 8 << 20
)

// made are the bundles that the demo does not have: with another version than their program says, with a program that
// never answers, for another machine, and too large. The programs are files in the folder of the sets.
var made = []struct {
	folder, program string
	demo.Manifest
}{
	{"lies", "1.1.0/hello.nxb/payload.elf", demo.Manifest{Name: "hello", Version: "3.0.0", Abilities: demo.Native}},
	{"mute", "1.1.0/ticker.nxb/payload.elf", demo.Manifest{Name: "ticker", Version: "3.1.0", Abilities: demo.Native}},
	{"foreign", "foreign.elf", demo.Manifest{Name: "ticker", Version: "4.0.0", Abilities: demo.Plain}},
	{"heavy", "blob", demo.Manifest{Name: "blob", Version: "5.0.0", Abilities: `"nexus.ability.Main"`}},
}

// packed are the sets made of bundles.
var packed = []struct {
	oracle.Set
	bundles []string
}{
	{oracle.Set{Name: "same programs", Version: "2.0.0"}, []string{"1.1.0/hello", "1.1.0/ticker"}},
	{oracle.Set{Name: "programs of two sets", Version: "2.1.0"}, []string{"1.0.0/hello", "1.1.0/ticker"}},
	{oracle.Set{Name: "one program", Version: "2.2.0"}, []string{"1.0.0/ticker"}},
	{oracle.Set{Name: "service answers as another version", Version: "3.0.0", Fate: oracle.Broken,
		Reason: refusal.ServiceUnhealthy}, []string{"lies/hello", "1.1.0/ticker"}},
	{oracle.Set{Name: "service never answers", Version: "3.1.0", Fate: oracle.Broken, Reason: refusal.HealthTimeout},
		[]string{"1.0.0/hello", "mute/ticker"}},
	{oracle.Set{Name: "wrong architecture", Version: "4.0.0", Fate: oracle.Unfit, Reason: refusal.WrongArchitecture},
		[]string{"1.1.0/hello", "foreign/ticker"}},
	{oracle.Set{Name: "oversized payload", Version: "5.0.0", Fate: oracle.Refused, Reason: refusal.PayloadTooLarge},
		[]string{"heavy/blob"}}, // over the system's limit, and below the packers'
	{oracle.Set{Name: "stranger's signature", Version: "6.0.0", Fate: oracle.Refused,
		Reason: refusal.UntrustedPublisher}, []string{"1.1.0/hello", "1.1.0/ticker"}},
}

// damaged are archives made of one of the demo's sets.
func damaged(at func(string) string) oracle.Sets {
	return oracle.Sets{
		{Name: "truncated in a payload", File: at("truncated.nxs"), Fate: oracle.Refused, Reason: refusal.Truncated,
			Behind: true},
		{Name: "truncated in the index", File: at("stub.nxs"), Fate: oracle.Refused, Reason: refusal.Truncated},
		{Name: "more after the end", File: at("trailing.nxs"), Fate: oracle.Refused, Reason: refusal.TrailingData,
			Behind: true},
		{Name: "oversized archive", File: at("oversized.nxs"), Fate: oracle.Refused, Reason: refusal.ArchiveTooLarge},
	}
}

// A maker makes the sets out of those of the demo.
type maker struct {
	testing.TB
	demo.Packer
	demo string // the demo's sets and keys
	dir  string // where to work, and where the sets go
}

func (m maker) at(name string) string { return filepath.Join(m.dir, name) }

// all makes every set there is.
func (m maker) all() oracle.Sets {
	sets := append(oracle.Demo(m.demo), damaged(m.at)...)
	m.extract()
	m.bundles()
	m.damage()
	for _, p := range packed {
		set := p.Set
		set.File = m.at("system-v" + set.Version + ".nxs")
		m.pack(set, p.bundles)
		sets = append(sets, &set)
	}
	kit.Must(m, sets.Load())
	return sets
}

// extract takes the demo's healthy sets apart, and makes another publisher, whom nobody trusts.
func (m maker) extract() {
	packer := filepath.Join(m.Bin, "nxs-pack")
	for _, version := range []string{"1.0.0", "1.1.0"} {
		kit.Must(m, m.Run(packer, "extract", "--trust", m.Key+".pub", "--output", m.at(version),
			filepath.Join(m.demo, "system-v"+version+".nxs")))
	}
	kit.Must(m, m.Run(packer, "keygen", "--output", m.at("stranger")))
}

// bundles makes the bundles.
func (m maker) bundles() {
	program, err := os.ReadFile(m.at("1.1.0/ticker.nxb/payload.elf"))
	kit.Must(m, err)
	const machine = 18 // e_machine in an ELF header
	other := elf.EM_RISCV
	if binary.LittleEndian.Uint16(program[machine:]) == uint16(other) {
		other = elf.EM_X86_64
	}
	binary.LittleEndian.PutUint16(program[machine:], uint16(other))
	for name, content := range map[string][]byte{"foreign.elf": program, "blob": make([]byte, limitPayload+1)} {
		kit.Must(m, os.WriteFile(m.at(name), content, 0o644))
	}
	for _, b := range made {
		kit.Must(m, m.Bundle(b.Manifest, m.at(b.program), m.at(b.folder)))
	}
}

// pack packs bundles as a set.
func (m maker) pack(set oracle.Set, bundles []string) {
	input := m.at("set-" + set.Version)
	for _, bundle := range bundles {
		from := os.DirFS(m.at(bundle + ".nxb"))
		kit.Must(m, os.CopyFS(filepath.Join(input, filepath.Base(bundle)+".nxb"), from))
	}
	if set.Reason == refusal.UntrustedPublisher {
		m.Key = m.at("stranger")
	}
	kit.Must(m, m.Set(input, set.Version, set.File))
}

// damage writes the damaged archives.
func (m maker) damage() {
	raw, err := os.ReadFile(filepath.Join(m.demo, "system-v1.1.0.nxs"))
	kit.Must(m, err)
	for i, content := range [][]byte{raw[:len(raw)*2/3], raw[:700], append(bytes.Clone(raw), "more"...), raw} {
		kit.Must(m, os.WriteFile(damaged(m.at)[i].File, content, 0o644))
	}
	kit.Must(m, os.Truncate(m.at("oversized.nxs"), limitArchive+1))
}
