package trust

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strings"

	"nexus/libupdates/refusal"
)

// Role is what a key is trusted for.
type Role string

// The roles.
const (
	RoleSystem Role = "system" // system sets
	RoleApps   Role = "apps"   // single bundles
)

// Anchor is one trusted key.
type Anchor struct {
	Role Role
	Key  PublicKey
}

// Anchors is a set of trusted keys. It is a value: Add returns a new one. The zero value trusts nobody.
type Anchors struct{ list []Anchor }

// NewAnchors returns the set of the given anchors.
func NewAnchors(anchors ...Anchor) Anchors {
	var a Anchors
	for _, anchor := range anchors {
		a = a.Add(anchor.Role, anchor.Key)
	}
	return a
}

// Add returns the set with one more key; one that is there already changes nothing.
func (a Anchors) Add(role Role, key PublicKey) Anchors {
	anchor := Anchor{role, key}
	at, found := slices.BinarySearchFunc(a.list, anchor, compare)
	if found {
		return a
	}
	return Anchors{slices.Insert(slices.Clone(a.list), at, anchor)}
}

// List returns all anchors, by role, then key.
func (a Anchors) List() []Anchor { return slices.Clone(a.list) }

func compare(a, b Anchor) int {
	if c := strings.Compare(string(a.Role), string(b.Role)); c != 0 {
		return c
	}
	return bytes.Compare(a.Key[:], b.Key[:])
}

// Verify returns the key of that role that made the signature over the raw message. Refusals: Unsigned for no
// signature, BadSignatureLength, InvalidSignature, UntrustedPublisher. The message is opaque here: no byte of it is
// interpreted.
func (a Anchors) Verify(role Role, message, signature []byte) (PublicKey, error) {
	switch len(signature) {
	case ed25519.SignatureSize:
	case 0:
		return PublicKey{}, refusal.New(refusal.Unsigned, "there is no signature")
	default:
		return PublicKey{}, refusal.New(refusal.BadSignatureLength, "signature of %d bytes, not %d", len(signature),
			ed25519.SignatureSize)
	}
	for _, anchor := range a.list {
		if anchor.Role == role && anchor.Key.Signed(message, signature) {
			return anchor.Key, nil
		}
	}
	return PublicKey{}, explain(role, message, signature)
}

// explainWindows bounds how many places explain looks at.
const explainWindows = 64

// explain finds the words for a refusal that is already decided. A set carries its publisher's key somewhere near its
// start; if one of the aligned 32-byte windows there, taken as a key, made the signature, then the signature is sound
// and its maker is a stranger. That needs no look into the message's structure, so nothing is parsed that no trusted
// key has signed.
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
