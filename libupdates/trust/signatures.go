package trust

import (
	"bytes"
	"crypto/ed25519"
	"slices"

	"nexus/libupdates/refusal"
)

// A Signature is a signature and the key that is said to have made it.
type Signature struct {
	Key   PublicKey
	Bytes [ed25519.SignatureSize]byte
}

// MaxSignatures bounds a list of signatures.
const MaxSignatures = 64

// SignatureSize is the size of one entry of a list, in bytes: a public key and a signature.
const SignatureSize = ed25519.PublicKeySize + ed25519.SignatureSize

// ParseSignatures parses a list of signatures: entries of SignatureSize bytes, in strictly ascending order of their
// keys. An empty list is valid. Refused as TooManySignatures or BadSignatures.
func ParseSignatures(raw []byte) ([]Signature, error) {
	if n := len(raw) / SignatureSize; n > MaxSignatures {
		return nil, refusal.New(refusal.TooManySignatures, "%d signatures are over the limit of %d", n, MaxSignatures)
	}
	if len(raw)%SignatureSize != 0 {
		return nil, refusal.New(refusal.BadSignatures, "%d bytes are not a list of signatures of %d bytes each",
			len(raw), SignatureSize)
	}
	var list []Signature
	for entry := range slices.Chunk(raw, SignatureSize) {
		s := Signature{Key: PublicKey(entry[:ed25519.PublicKeySize])}
		copy(s.Bytes[:], entry[ed25519.PublicKeySize:])
		if n := len(list); n > 0 && bytes.Compare(list[n-1].Key[:], s.Key[:]) >= 0 {
			return nil, refusal.New(refusal.BadSignatures,
				"the signature of %s is a second one, or not in ascending order of the keys", s.Key)
		}
		list = append(list, s)
	}
	return list, nil
}

// EncodeSignatures returns the list in the form that ParseSignatures parses. It sorts a copy by key.
func EncodeSignatures(list []Signature) []byte {
	sorted := slices.SortedFunc(slices.Values(list),
		func(a, b Signature) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	raw := make([]byte, 0, len(list)*SignatureSize)
	for _, s := range sorted {
		raw = append(append(raw, s.Key[:]...), s.Bytes[:]...)
	}
	return raw
}

// SplitProof takes the signatures of a set apart: 64 bytes by its publisher, and behind them a list of further ones, if
// there are any. What is not of that form is returned whole, as a signature of a wrong length. Refusals are those of
// ParseSignatures.
func SplitProof(proof []byte) (signature []byte, more []Signature, err error) {
	if len(proof) < ed25519.SignatureSize || (len(proof)-ed25519.SignatureSize)%SignatureSize != 0 {
		return proof, nil, nil
	}
	more, err = ParseSignatures(proof[ed25519.SignatureSize:])
	return proof[:ed25519.SignatureSize], more, err
}
