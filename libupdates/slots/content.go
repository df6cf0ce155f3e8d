package slots

import (
	"context"
	"fmt"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// Content describes what a slot holds. The zero value is an empty slot.
type Content struct {
	Digest  nxs.Digest     // of the set's index
	Version string         // of the set
	Bundles []nxs.Entry    // in byte order of their names
	Floor   string         // the version floor of the set; empty if none
	Health  nxs.Health     // the health policy of the set's publisher
	Unkept  string         // why the kernel does not verify all payloads at every read; empty if it does
	Damage  refusal.Reason // set if something is in place of the slot's link, but it does not lead to a set
	// Publisher is the key that signed the set.
	Publisher trust.PublicKey
}

// Record returns the content as a boot record keeps it, for a set that is not confirmed.
func (c Content) Record() bootctl.Content {
	return bootctl.Content{Digest: bootctl.Digest(c.Digest), Version: c.Version, Floor: c.Floor}
}

func contentOf(d nxs.Digest, x nxs.Index) Content {
	return Content{
		Digest: d, Version: x.SystemVersion, Bundles: x.Bundles, Floor: x.VersionFloor, Health: x.Health,
		Publisher: x.Publisher,
	}
}

// Content returns what the slot, or Staged, holds, according to the stored index. It checks the index's digest, but
// neither signature nor bundles (see Verify). Refused as SlotMismatch if the slot does not lead to a set, which Damage
// also says, and as DigestMismatch if the index does not match the name of its directory. If the index is damaged
// (DamageOf), only Digest is set.
func (s *Store) Content(slot bootctl.Slot) (Content, error) {
	content, err := readContent(s.fs, slot)
	if err != nil {
		return content, fmt.Errorf("cannot read %s: %w", called(slot), err)
	}
	return content, nil
}

func readContent(fsys durable.ReadFS, slot bootctl.Slot) (Content, error) {
	if err := checkLink(slot); err != nil {
		return Content{}, err
	}
	d, err := resolve(fsys, slot)
	if err != nil || d.IsZero() {
		damage, _ := DamageOf(err)
		return Content{Damage: damage}, err
	}
	set := stored{fsys, d}
	index, err := set.index()
	if err != nil {
		return Content{Digest: d}, err
	}
	content := contentOf(d, index)
	content.Unkept = set.unkept(index)
	return content, nil
}

// Signed returns the raw index and the signatures of the set in a slot, both unverified; nothing of an empty one.
func (s *Store) Signed(slot bootctl.Slot) (index, proof []byte, err error) {
	d, err := resolve(s.fs, slot)
	if err != nil || d.IsZero() {
		return nil, nil, err
	}
	return stored{s.fs, d}.signed()
}

// Empty empties the slot, or Staged, durably; an empty slot stays empty. After an error the slot still holds what it
// held.
func (s *Store) Empty(slot bootctl.Slot) error {
	if err := checkLink(slot); err != nil {
		return fmt.Errorf("cannot empty slot: %w", err)
	}
	if err := s.fs.point(slot, nxs.Digest{}); err != nil {
		return fmt.Errorf("cannot empty %s: %w", called(slot), err)
	}
	return nil
}

// SetStaged makes Staged lead to a set that is on disk already, or to none if the digest is zero. It changes nothing
// where that is so.
func (s *Store) SetStaged(d nxs.Digest) error {
	held, err := resolve(s.fs, bootctl.Staged)
	if err == nil && held == d {
		return nil
	}
	if err := s.fs.point(bootctl.Staged, d); err != nil {
		return fmt.Errorf("cannot set what is staged: %w", err)
	}
	return nil
}

// Verify checks that the slot, or Staged, holds the set with that digest, and checks everything in it against its index
// and the index's signature, as on arrival. With the zero digest, the slot must be empty. It reads every byte of the
// set. FaultOf says what an error means.
func (s *Store) Verify(slot bootctl.Slot, want nxs.Digest, verify nxs.VerifyFunc) error {
	_, err := checkHeld(s.fs, slot, want, verify, everything)
	return err
}

// Measure is Verify for a boot attempt. It does not read the payloads that the kernel verifies at every read: a block
// of them that has decayed is found when it is read. It has the kernel verify from now on those that it could and did
// not, such as after a move to another file system, and reports whether there were any.
func (s *Store) Measure(slot bootctl.Slot, want nxs.Digest, verify nxs.VerifyFunc) (protected bool, err error) {
	plain, err := checkHeld(s.fs, slot, want, verify, unkeptOnly)
	if err != nil {
		return false, err
	}
	return len(plain) > 0, protectLate(s.fs, stored{s.fs, want}, plain)
}

func checkHeld(fsys durable.ReadFS, slot bootctl.Slot, want nxs.Digest, verify nxs.VerifyFunc, reading depth) (
	plain []nxs.Entry, err error) {
	if err := checkLink(slot); err != nil {
		return nil, err
	}
	held, err := resolve(fsys, slot)
	switch {
	case err != nil:
		return nil, err
	case held.IsZero() && !want.IsZero():
		return nil, refusal.New(refusal.MissingEntry, "the link of %s is missing", called(slot))
	case held != want:
		return nil, refusal.New(refusal.SlotMismatch, "%s holds another set, %s", called(slot), held)
	case want.IsZero():
		return nil, nil
	}
	set := stored{fsys, held}
	index, err := set.verifiedIndex(verify)
	if err != nil {
		return nil, err
	}
	return set.checkBundles(context.Background(), index, reading)
}
