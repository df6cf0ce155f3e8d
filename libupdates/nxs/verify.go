package nxs

import "nexus/libupdates/refusal"

// VerifyIndex returns the index that the raw bytes hold, after the signature over them has passed; nothing in them is
// looked at before. Refused as the verification refuses, as PublisherMismatch where the index names another key than
// the one that signed it, and as ParseIndex does.
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
