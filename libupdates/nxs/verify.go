package nxs

import "nexus/libupdates/refusal"

// VerifyIndex verifies the signature over the raw bytes and then parses them; nothing is interpreted before that. It
// refuses as verify does, as PublisherMismatch if the index names another key than the one that signed it, and as
// ParseIndex does.
func VerifyIndex(raw, signature []byte, verify VerifyFunc) (Index, error) {
	signer, err := verify(raw, signature)
	if err != nil {
		return Index{}, err
	}
	index, err := ParseIndex(raw)
	if err != nil {
		return Index{}, err
	}
	if index.Publisher != signer {
		return Index{}, refusal.New(refusal.PublisherMismatch, "the index names publisher %s, its signature is by %s",
			index.Publisher, signer)
	}
	return index, nil
}
