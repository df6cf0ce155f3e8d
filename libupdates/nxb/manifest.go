package nxb

import (
	"bytes"
	"slices"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// The abilities that say what a bundle runs as.
const (
	AbilityMain    = "nexus.ability.Main"    // started on demand
	AbilityService = "nexus.ability.Service" // runs while its slot is published
	// beside Service: exports Service on fd 3, so it is not healthy before it has said so
	AbilityNative = "nexus.ability.Native"
)

// Bounds of a manifest.
const (
	MaxManifest   = 256 << 10 // bytes
	MaxListed     = 64        // abilities, capabilities
	MaxListedText = 128       // bytes of one of them
)

// Manifest is a bundle's manifest. The fields are those of schema/manifest.capnp.
type Manifest struct {
	Name          string
	Version       string
	Abilities     []string
	Capabilities  []string
	MinSDK        string // SemVer, or empty
	Publisher     [16]byte
	Signature     []byte // 64 bytes over the raw payload
	PayloadDigest []byte // 32 bytes, or empty in manifests of version 1.0
	PayloadSize   uint64 // bytes; meaningful where PayloadDigest is not empty
}

// IsService tells whether the bundle runs while its slot is published.
func (m Manifest) IsService() bool { return slices.Contains(m.Abilities, AbilityService) }

// IsMain tells whether the bundle may be started on demand.
func (m Manifest) IsMain() bool { return slices.Contains(m.Abilities, AbilityMain) }

// PublishedBy tells whether the manifest names the key as its publisher.
func (m Manifest) PublishedBy(key trust.PublicKey) bool { return m.Publisher == key.ID() }

// IsSigned tells whether the manifest names a publisher or has a signature at all. One that travels in sets only may
// have neither: both are zeros.
func (m Manifest) IsSigned() bool {
	return m.Publisher != [16]byte{} || len(bytes.Trim(m.Signature, "\x00")) > 0
}

// CheckSignature begins to check the manifest's signature over the payload, where the bundle stands alone: in a set the
// index's signature takes its place. The key is the one of those given that the manifest names as its publisher.
// Refused as Unsigned, or as UntrustedPublisher.
func (m Manifest) CheckSignature(keys []trust.PublicKey) (*trust.Check, error) {
	if !m.IsSigned() {
		return nil, refusal.New(refusal.Unsigned, "bundle %s is not signed", m.Name)
	}
	at := slices.IndexFunc(keys, m.PublishedBy)
	if at < 0 {
		return nil, refusal.New(refusal.UntrustedPublisher,
			"bundle %s is by publisher %x, whose key is not among those that were given", m.Name, m.Publisher)
	}
	return keys[at].Check(m.Signature), nil
}

// NotSigned refuses, as InvalidSignature, a bundle whose check did not pass.
func (m Manifest) NotSigned() error {
	return refusal.New(refusal.InvalidSignature,
		"the signature of bundle %s is not by its publisher over its payload", m.Name)
}
