package trust

import (
	"filippo.io/edwards25519"

	"nexus/libupdates/refusal"
)

// Usable refuses, as BadKey, a key that must not count: one that is not on the curve, one under which anyone can sign,
// and a second encoding of a key, which would count beside the first.
func (k PublicKey) Usable() error {
	switch {
	case !k.onCurve():
		return refusal.New(refusal.BadKey, "%s is not an Ed25519 key: it is not a point of the curve", k)
	case k.weak():
		return refusal.New(refusal.BadKey, "key %s has small order: anyone could sign with it", k)
	case !k.canonical():
		return refusal.New(refusal.BadKey, "%s is not the canonical form of its key", k)
	}
	return nil
}

// weak reports whether the key is a point of small order, 1, 2, 4 or 8. Under such a key, signatures can be made
// without a secret: a key file of zeros, left by a torn write, would trust everyone.
func (k PublicKey) weak() bool {
	point, err := new(edwards25519.Point).SetBytes(k[:])
	return err == nil && point.MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1
}

// onCurve reports whether the key is a point of the curve. Half of all 32-byte strings are not, and no signature was
// ever made under those.
func (k PublicKey) onCurve() bool {
	_, err := new(edwards25519.Point).SetBytes(k[:])
	return err == nil
}

// canonical reports whether these bytes are how RFC 8032 encodes the key. A few points have a second encoding.
func (k PublicKey) canonical() bool {
	point, err := new(edwards25519.Point).SetBytes(k[:])
	return err == nil && PublicKey(point.Bytes()) == k
}
