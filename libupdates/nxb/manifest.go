package nxb

import (
	"bytes"
	"slices"

	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// The folder of a bundle, in an archive and on disk: its name is the bundle's with Suffix, and it has these two files.
const (
	Suffix       = ".nxb"
	ManifestFile = "manifest.nxb"
	PayloadFile  = "payload.elf"
)

// Abilities that say how a bundle runs.
const (
	AbilityMain    = "nexus.ability.Main"    // started on demand
	AbilityService = "nexus.ability.Service" // runs while its slot is published
	// together with Service: exports the interface Service on fd 3, and is not healthy until it reports so
	AbilityNative = "nexus.ability.Native"
	AbilityData   = "nexus.ability.Data" // holds a tree for other bundles of its set; it runs nothing
)

// Bounds of a manifest.
const (
	MaxManifest   = 256 << 10 // bytes
	MaxListed     = 64        // abilities, capabilities
	MaxListedText = 128       // bytes of one of them
)

// A Manifest is a bundle's manifest. Its fields are those of schema/manifest.capnp.
type Manifest struct {
	Name          string
	Version       string
	Abilities     []string
	Capabilities  []string
	MinSDK        string // SemVer, or empty
	Publisher     [16]byte
	Signature     []byte // 64 bytes over the raw payload
	PayloadDigest []byte // 32 bytes; empty in manifests of version 1.0
	PayloadSize   uint64 // bytes; only valid if PayloadDigest is set
	Args          []string
	Environment   []string // NAME=value
}

// Powers returns what the bundle asks for beside names.
func (m Manifest) Powers() []string { return powers.Among(m.Capabilities) }

// IsService reports whether the bundle runs while its slot is published.
func (m Manifest) IsService() bool { return slices.Contains(m.Abilities, AbilityService) }

// IsMain reports whether the bundle may be started on demand.
func (m Manifest) IsMain() bool { return slices.Contains(m.Abilities, AbilityMain) }

// IsData reports whether the bundle's payload is a tree.
func (m Manifest) IsData() bool { return slices.Contains(m.Abilities, AbilityData) }

// PublishedBy reports whether the manifest names the key as its publisher.
func (m Manifest) PublishedBy(key trust.PublicKey) bool { return m.Publisher == key.ID() }

// IsSigned reports whether the manifest names a publisher or has a signature. A bundle that is only distributed in sets
// may have neither: both are zeros.
func (m Manifest) IsSigned() bool {
	return m.Publisher != [16]byte{} || len(bytes.Trim(m.Signature, "\x00")) > 0
}

// CheckSignature returns a check of the manifest's signature over the payload, for a bundle outside a set; in a set,
// the signature of the index replaces it. It uses the one of the given keys that the manifest names as its publisher.
// Refused as Unsigned, or as UntrustedPublisher if that key is not among them.
func (m Manifest) CheckSignature(keys []trust.PublicKey) (*trust.Check, error) {
	if !m.IsSigned() {
		return nil, refusal.New(refusal.Unsigned, "bundle %s is not signed", m.Name)
	}
	at := slices.IndexFunc(keys, m.PublishedBy)
	if at < 0 {
		return nil, refusal.New(refusal.UntrustedPublisher,
			"bundle %s is by publisher %x, whose key was not given", m.Name, m.Publisher)
	}
	return keys[at].Check(m.Signature), nil
}

// NotSigned returns the refusal InvalidSignature for a bundle whose check failed.
func (m Manifest) NotSigned() error {
	return refusal.New(refusal.InvalidSignature,
		"the signature of bundle %s is not that of its publisher over its payload", m.Name)
}
