package trust

import (
	"filippo.io/edwards25519"

	"nexus/libupdates/refusal"
)

// Usable refuses, as BadKey, a key that must not count. Half of all 32-byte strings are no points of the curve, and no
// signature was ever made under those. Under a point of small order, 1, 2, 4 or 8, signatures can be made without a
// secret: a key file of zeros, left by a torn write, would trust everyone. And a few points have a second encoding,
// which would count beside the first.
func (k PublicKey) Usable() error {
	point, err := new(edwards25519.Point).SetBytes(k[:])
	switch {
	case err != nil:
		return refusal.New(refusal.BadKey, "%s is not an Ed25519 key: it is not a point of the curve", k)
	case new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1:
		return refusal.New(refusal.BadKey, "key %s has small order: anyone could sign with it", k)
	case PublicKey(point.Bytes()) != k:
		return refusal.New(refusal.BadKey, "%s is not the canonical form of its key", k)
	}
	return nil
}
