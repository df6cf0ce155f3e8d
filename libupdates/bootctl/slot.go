package bootctl

import (
	"crypto/sha256"
	"encoding/hex"

	"nexus/libupdates/refusal"
)

// Slot is one of the places for a system set, or None.
type Slot uint8

// The slots. The values are those of schema/bootrecord.capnp.
const (
	None   Slot = iota // no slot
	A                  // slot a; the factory set goes here
	B                  // slot b
	Staged             // where a staged set waits for its switch; nothing runs from here
)

// String returns "a", "b", "staged" or "none".
func (s Slot) String() string {
	switch s {
	case A:
		return "a"
	case B:
		return "b"
	case Staged:
		return "staged"
	default:
		return "none"
	}
}

// Other returns the other one of slots a and b.
func (s Slot) Other() Slot {
	switch s {
	case A:
		return B
	case B:
		return A
	default:
		return None
	}
}

// Digest is the SHA-256 of the raw bytes of a set's index: the name of a set.
type Digest [sha256.Size]byte

// String returns the digest as 64 hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether d names no set.
func (d Digest) IsZero() bool { return d == Digest{} }

// Content is what one slot holds. The zero value is an empty slot.
type Content struct {
	Digest  Digest
	Version string         // of the set, SemVer, at most 64 bytes; empty for an empty slot
	Floor   string         // the version floor that the set asks for, SemVer; empty: none
	Good    bool           // whether exactly this set was once confirmed healthy in this slot
	Damage  refusal.Reason // reason of the damage found in it; empty: none
}

// IsEmpty reports whether the slot holds nothing.
func (c Content) IsEmpty() bool { return c.Digest.IsZero() }
