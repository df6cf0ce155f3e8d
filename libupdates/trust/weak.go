package trust

import "filippo.io/edwards25519"

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
