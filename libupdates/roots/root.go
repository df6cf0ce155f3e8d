package roots

import (
	"crypto/sha256"
	"encoding/hex"

	"nexus/libupdates/trust"
)

// Limits of a document.
const (
	MaxDocument    = 128 << 10 // in bytes
	MaxKeys        = 64
	MaxGrants      = 64
	MaxNames       = 64 // of one grant
	MaxRevokedKeys = 256
	MaxRevokedSets = 1024
	MaxMinimums    = 64
	maxKeyName     = 64 // in bytes
)

// A Digest is a SHA-256: of a root document, or of the raw index of a set.
type Digest [sha256.Size]byte

// String returns the digest as 64 lower-case hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// A Root says which keys may sign what. Times are in milliseconds since 1970 UTC, and 0 is no limit.
type Root struct {
	Version     uint64
	Family      string // of devices
	Issued      uint64
	Expires     uint64
	Keys        []Key // in ascending order
	Grants      []Grant
	RevokedKeys []trust.PublicKey // in ascending order
	RevokedSets []Digest          // in ascending order
	Minimums    []Minimum         // in ascending order of names
	ResetsTime  bool              // the largest signed time seen is forgotten
}

// A Key is a public key and a name for people.
type Key struct {
	Public trust.PublicKey
	Name   string
}

// A Grant lets some keys, together, sign for a role.
type Grant struct {
	Role      trust.Role
	Threshold int
	Keys      []trust.PublicKey // in ascending order
	Names     []string          // names or beginnings of names that it covers; empty: all
	Expires   uint64            // for new sets
}

// A Minimum is the lowest version of a bundle, or of the system set if Name is empty.
type Minimum struct{ Name, Version string }

// Of returns the grants of a role.
func (r Root) Of(role trust.Role) []Grant {
	var grants []Grant
	for _, g := range r.Grants {
		if g.Role == role {
			grants = append(grants, g)
		}
	}
	return grants
}

// Anchors returns the keys that the root trusts, each for its roles.
func (r Root) Anchors() trust.Anchors {
	var a trust.Anchors
	for _, g := range r.Grants {
		for _, key := range g.Keys {
			a = a.Add(g.Role, key)
		}
	}
	return a
}

// Name returns what people call a key, or "".
func (r Root) Name(key trust.PublicKey) string {
	for _, k := range r.Keys {
		if k.Public == key {
			return k.Name
		}
	}
	return ""
}

func (g Grant) threshold() trust.Threshold { return trust.Threshold{Need: g.Threshold, Keys: g.Keys} }
