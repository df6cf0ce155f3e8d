package slots

import (
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A Set is a set opened for reading. It stays the same set even if the slot changes, because its files are opened
// through the digest in their path. After the set has been removed from the disk, its files can no longer be opened;
// open files stay readable.
type Set struct {
	Digest  nxs.Digest
	Index   nxs.Index
	Bundles []Bundle // in byte order of their names

	stored stored
}

// A Bundle is one bundle of a set.
type Bundle struct {
	Entry    nxs.Entry
	Manifest nxb.Manifest
}

// OpenSet opens the set that the slot, or Staged, holds now. It must have the given digest, which the caller vouches
// for. The index and the manifests are checked against it; payloads are checked only by CheckPayload. Refused as
// SlotMismatch if the slot is empty or holds another set.
func OpenSet(fs durable.ReadFS, slot bootctl.Slot, digest nxs.Digest) (*Set, error) {
	set, err := openSet(fs, slot, digest)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", called(slot), err)
	}
	return set, nil
}

func openSet(fs durable.ReadFS, slot bootctl.Slot, digest nxs.Digest) (*Set, error) {
	if err := checkLink(slot); err != nil {
		return nil, err
	}
	held, err := resolve(fs, slot)
	if err != nil {
		return nil, err
	}
	if held.IsZero() || held != digest {
		return nil, refusal.New(refusal.SlotMismatch, "it does not hold set %s", digest)
	}
	s := stored{fs, digest}
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	set := &Set{Digest: digest, Index: index, stored: s}
	for _, entry := range index.Bundles {
		manifest, err := s.manifest(entry)
		if err != nil {
			return nil, err
		}
		set.Bundles = append(set.Bundles, Bundle{entry, manifest})
	}
	return set, nil
}

// Bundle returns the bundle of that name. Refused as UnknownBundle.
func (s *Set) Bundle(name string) (Bundle, error) {
	i, found := slices.BinarySearchFunc(s.Bundles, name,
		func(b Bundle, name string) int { return strings.Compare(b.Entry.Name, name) })
	if !found {
		return Bundle{}, refusal.New(refusal.UnknownBundle, "there is no bundle %q", name)
	}
	return s.Bundles[i], nil
}

// OpenPayload opens a bundle's payload. It has the signed size, but its digest is not checked (see CheckPayload). The
// caller closes it. Refused as UnknownBundle or SizeMismatch.
func (s *Set) OpenPayload(name string) (durable.ReadFile, error) {
	b, err := s.Bundle(name)
	if err != nil {
		return nil, err
	}
	return s.stored.openPayload(b.Entry)
}

// CheckPayload reads a bundle's whole payload and checks it against the signed digest. Refused as UnknownBundle,
// SizeMismatch or DigestMismatch.
func (s *Set) CheckPayload(name string) error {
	b, err := s.Bundle(name)
	if err != nil {
		return err
	}
	return s.stored.checkPayload(b.Entry)
}

// OpenManifest opens a bundle's manifest file. The caller closes it. Refused as UnknownBundle.
func (s *Set) OpenManifest(name string) (durable.ReadFile, error) {
	b, err := s.Bundle(name)
	if err != nil {
		return nil, err
	}
	return s.stored.open(manifestPath("", b.Entry.Name))
}
