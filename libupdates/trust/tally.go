package trust

import (
	"crypto/ed25519"
	"slices"

	"nexus/libupdates/refusal"
)

// A Threshold is met once Need different keys of Keys have signed. A threshold of 0 is never met.
type Threshold struct {
	Need int
	Keys []PublicKey
}

// A Tally counts who signed one message. It counts keys, not signatures: however often and under whatever name a
// signature is repeated, its key counts once. It verifies no signature twice.
type Tally struct {
	message   []byte
	anonymous []byte // a signature that does not say whose it is, or nil
	named     []Signature
	known     map[PublicKey]bool // the verdicts so far
}

// NewTally returns the tally of a message. The first signature does not name its key and may be nil; the others do.
func NewTally(message, anonymous []byte, named []Signature) *Tally {
	return &Tally{message, anonymous, named, map[PublicKey]bool{}}
}

// Meet returns Need different keys of the threshold that signed the message, or refuses as ThresholdNotMet. A signature
// that is not valid, or by another key, counts as missing.
func (t *Tally) Meet(want Threshold) ([]PublicKey, error) {
	var signers []PublicKey
	for _, key := range want.Keys {
		if len(signers) == want.Need {
			break
		}
		if !slices.Contains(signers, key) && t.signed(key) {
			signers = append(signers, key)
		}
	}
	if want.Need < 1 || len(signers) < want.Need {
		return nil, refusal.New(refusal.ThresholdNotMet, "%d of the %d keys must sign, and %d did", want.Need,
			len(want.Keys), len(signers))
	}
	return signers, nil
}

// Publisher returns the one of the keys that made the signature without a name. Refusals: Unsigned without that
// signature, BadSignatureLength, InvalidSignature, UntrustedPublisher.
func (t *Tally) Publisher(role Role, keys []PublicKey) (PublicKey, error) {
	switch len(t.anonymous) {
	case ed25519.SignatureSize:
	case 0:
		return PublicKey{}, refusal.New(refusal.Unsigned, "there is no signature")
	default:
		return PublicKey{}, refusal.New(refusal.BadSignatureLength, "signature has %d bytes, want %d",
			len(t.anonymous), ed25519.SignatureSize)
	}
	for _, key := range keys {
		if key.Signed(t.message, t.anonymous) {
			t.known[key] = true
			t.anonymous = nil // it is this key's: nobody else's verdict needs it
			return key, nil
		}
	}
	return PublicKey{}, explain(role, t.message, t.anonymous)
}

func (t *Tally) signed(key PublicKey) bool {
	if verdict, done := t.known[key]; done {
		return verdict
	}
	verdict := slices.ContainsFunc(t.named, func(s Signature) bool {
		return s.Key == key && key.Signed(t.message, s.Bytes[:])
	})
	if !verdict && len(t.anonymous) > 0 {
		verdict = key.Signed(t.message, t.anonymous)
	}
	t.known[key] = verdict
	return verdict
}
