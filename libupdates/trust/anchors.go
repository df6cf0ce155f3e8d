package trust

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strings"

	"nexus/libupdates/refusal"
)

// A Role is what a key is trusted for.
type Role string

// The roles.
const (
	RoleSystem  Role = "system"  // system sets
	RoleApps    Role = "apps"    // sets of apps
	RoleRoot    Role = "root"    // the next root document
	RoleChannel Role = "channel" // channels
)

// An Anchor is a key trusted for a role.
type Anchor struct {
	Role Role
	Key  PublicKey
}

// Anchors is an immutable set of trusted keys: Add returns a new set. The zero value trusts no key.
type Anchors struct{ list []Anchor }

// NewAnchors returns the set of these anchors.
func NewAnchors(anchors ...Anchor) Anchors {
	var a Anchors
	for _, anchor := range anchors {
		a = a.Add(anchor.Role, anchor.Key)
	}
	return a
}

// Add returns the set with one more key. Adding a key twice has no effect.
func (a Anchors) Add(role Role, key PublicKey) Anchors {
	anchor := Anchor{role, key}
	at, found := slices.BinarySearchFunc(a.list, anchor, compare)
	if found {
		return a
	}
	return Anchors{slices.Insert(slices.Clone(a.list), at, anchor)}
}

// List returns all anchors, sorted by role, then key.
func (a Anchors) List() []Anchor { return slices.Clone(a.list) }

func compare(a, b Anchor) int {
	if c := strings.Compare(string(a.Role), string(b.Role)); c != 0 {
		return c
	}
	return bytes.Compare(a.Key[:], b.Key[:])
}

// Keys returns the keys of a role, in ascending order.
func (a Anchors) Keys(role Role) []PublicKey {
	var keys []PublicKey
	for _, anchor := range a.list {
		if anchor.Role == role {
			keys = append(keys, anchor.Key)
		}
	}
	return keys
}

// Verify returns the key of that role that made the signature over the raw message. Further signatures behind it, as in
// SplitProof, are not needed and not looked at. Refusals: Unsigned without a signature, BadSignatureLength,
// InvalidSignature, UntrustedPublisher, and those of SplitProof. The message is opaque: no byte of it is interpreted.
func (a Anchors) Verify(role Role, message, proof []byte) (PublicKey, error) {
	signature, _, err := SplitProof(proof)
	if err != nil {
		return PublicKey{}, err
	}
	return NewTally(message, signature, nil).Publisher(role, a.Keys(role))
}

// explainWindows bounds how many windows explain tries.
const explainWindows = 64

// explain chooses the reason for a message that is refused in any case. A set carries its publisher's key near its
// start. If one of the aligned 32-byte windows there, taken as a key, made the signature, then the signature is valid
// and its publisher is not trusted. This does not depend on the structure of the message, so nothing is parsed that is
// not signed by a trusted key.
func explain(role Role, message, signature []byte) error {
	for at := 0; at/8 < explainWindows && at+ed25519.PublicKeySize <= len(message); at += 8 {
		candidate := PublicKey(message[at : at+ed25519.PublicKeySize])
		if candidate.Signed(message, signature) {
			return refusal.New(refusal.UntrustedPublisher, "publisher %s is not trusted for the role %s", candidate,
				role)
		}
	}
	return refusal.New(refusal.InvalidSignature, "invalid signature")
}
