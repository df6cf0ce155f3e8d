// Package updatestest makes system sets for tests: keys from fixed seeds, bundles, whole archives. The same arguments
// give the same bytes. It is for tests only, and its keys must not be trusted anywhere else.
package updatestest

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/digest"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/powers"
	"nexus/libupdates/trust"
)

// Key returns the signer of the n-th test key.
func Key(n byte) trust.Signer {
	var seed [32]byte
	for i := range seed {
		seed[i] = n
	}
	return trust.NewSigner(seed)
}

// Made is a bundle to be put into an archive.
type Made struct {
	Entry    nxs.Entry
	Manifest []byte // raw
	Payload  []byte
}

// Bundle makes a bundle signed by the key.
func Bundle(name, version string, abilities []string, payload []byte, key trust.Signer) Made {
	signature, err := key.Sign(payload)
	if err != nil {
		panic(err)
	}
	digest := nxs.Sum(payload)
	raw, err := nxb.Manifest{
		Name: name, Version: version, Abilities: abilities, MinSDK: "1.0.0",
		Publisher: key.Public().ID(), Signature: signature,
		PayloadDigest: digest[:], PayloadSize: uint64(len(payload)),
	}.Encode()
	if err != nil {
		panic(err)
	}
	return Made{
		Entry: nxs.Entry{
			Name: name, Version: version, ManifestSHA256: nxs.Sum(raw), PayloadSHA256: digest,
			PayloadSize: int64(len(payload)),
		},
		Manifest: raw,
		Payload:  payload,
	}
}

// Asking returns the bundle with a manifest that asks for these capabilities, and the entry that goes with it.
func (m Made) Asking(names ...string) Made {
	m = m.changed(func(manifest *nxb.Manifest) { manifest.Capabilities = names })
	m.Entry.Powers = powers.Among(names)
	return m
}

// Needing returns the bundle with a manifest that needs this SDK.
func (m Made) Needing(sdk string) Made {
	return m.changed(func(manifest *nxb.Manifest) { manifest.MinSDK = sdk })
}

// Blocks returns the bundle with an entry that has the fs-verity digest of its payload, as our packer's have.
func (m Made) Blocks() Made {
	var tree digest.Tree
	tree.Write(m.Payload)
	m.Entry.PayloadVerity = tree.Sum()
	return m
}

// Unbound returns the bundle with a manifest that does not name the payload's digest, as those of version 1.0.
func (m Made) Unbound() Made {
	return m.changed(func(manifest *nxb.Manifest) { manifest.PayloadDigest, manifest.PayloadSize = nil, 0 })
}

func (m Made) changed(change func(*nxb.Manifest)) Made {
	manifest, err := nxb.ParseManifest(m.Manifest)
	if err != nil {
		panic(err)
	}
	change(&manifest)
	if m.Manifest, err = manifest.Encode(); err != nil {
		panic(err)
	}
	m.Entry.ManifestSHA256 = nxs.Sum(m.Manifest)
	return m
}

// Index returns the index of a set of these bundles, in the order of a set.
func Index(key trust.Signer, version string, bundles ...Made) nxs.Index {
	x := nxs.Index{SystemVersion: version, Publisher: key.Public()}
	for _, b := range sorted(bundles) {
		x.Bundles = append(x.Bundles, b.Entry)
	}
	return x
}

// Archive returns a whole set, signed by the key.
func Archive(t testing.TB, key trust.Signer, version string, bundles ...Made) []byte {
	t.Helper()
	raw, err := Index(key, version, bundles...).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return ArchiveOf(t, key, raw, bundles...)
}

// ArchiveOf returns an archive with any index, signed by the key. Tests of hostile indexes use it.
func ArchiveOf(t testing.TB, key trust.Signer, rawIndex []byte, bundles ...Made) []byte {
	t.Helper()
	var sources []nxs.Source
	for _, b := range sorted(bundles) {
		sources = append(sources, nxs.Source{Entry: b.Entry, RawManifest: b.Manifest,
			Payload: bytes.NewReader(b.Payload)})
	}
	var out bytes.Buffer
	if err := nxs.Write(&out, &nxs.Head{Raw: rawIndex, Signature: signed(t, key, rawIndex)}, sources); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sorted(bundles []Made) []Made {
	return slices.SortedFunc(slices.Values(bundles),
		func(a, b Made) int { return strings.Compare(a.Entry.Name, b.Entry.Name) })
}
