package trust

import "encoding/hex"

// smallOrder lists, as hex, the encodings of the curve's points of order 1, 2, 4 and 8, without the sign bit, and the two that are not
// canonical. Under such a key signatures can be made without a secret: a key file of zeros, left by a torn write, would trust everybody.
// (RFC 7748, section 6.1, tells implementations to look for them; the list is that of libsodium.)
func smallOrder() []string {
	return []string{
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"0100000000000000000000000000000000000000000000000000000000000000", // order 1
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 4, not canonical
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 1, not canonical
	}
}

// weak tells whether the key is a point of small order.
func (k PublicKey) weak() bool {
	k[len(k)-1] &^= 0x80 // the sign bit
	for _, point := range smallOrder() {
		if hex.EncodeToString(k[:]) == point {
			return true
		}
	}
	return false
}
