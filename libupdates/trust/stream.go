package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"

	"filippo.io/edwards25519"

	"nexus/libupdates/refusal"
)

// Ed25519 reads its message twice (RFC 8032, 5.1.6): for the nonce and for the challenge. The standard library needs
// the message in memory for that; here, a payload of gigabytes is read from its file instead. The arithmetic is that of
// filippo.io/edwards25519, from which the standard library's is derived. Operations on the seed and the nonce are
// constant-time.

// A Message is a message to sign or check without loading it into memory. It is read more than once.
type Message = *io.SectionReader

// SignFrom signs like Sign. A message that changes between the two readings is refused as DigestMismatch: two
// challenges with the same nonce would reveal the private key.
func (s seedSigner) SignFrom(message Message) ([]byte, error) {
	expanded := sha512.Sum512(s.key.Seed())
	defer clear(expanded[:])
	secret, err := edwards25519.NewScalar().SetBytesWithClamping(expanded[:32])
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	nonce, before, err := scalarOf(message, expanded[32:])
	if err != nil {
		return nil, err
	}
	commitment := new(edwards25519.Point).ScalarBaseMult(nonce).Bytes()
	public := s.Public()
	challenge, after, err := scalarOf(message, commitment, public[:])
	if err != nil {
		return nil, err
	}
	if before != after {
		return nil, refusal.New(refusal.DigestMismatch, "the message changed while it was signed")
	}
	response := edwards25519.NewScalar().MultiplyAdd(challenge, secret, nonce)
	return append(commitment, response.Bytes()...), nil
}

// A Check verifies a signature over the message that is written to it. It accepts exactly the signatures that the
// standard library accepts.
type Check struct {
	key       PublicKey
	signature []byte
	wide      hash.Hash // of the commitment, the key and the message
}

// Check returns a Check of a signature. A signature that does not have 64 bytes never passes.
func (k PublicKey) Check(signature []byte) *Check {
	c := &Check{k, signature, sha512.New()}
	c.wide.Write(signature[:min(len(signature), ed25519.SignatureSize/2)])
	c.wide.Write(k[:])
	return c
}

// Write adds the next bytes of the message.
func (c *Check) Write(p []byte) (int, error) { return c.wide.Write(p) }

// Passed reports whether the signature is valid for the message written so far.
func (c *Check) Passed() bool {
	if len(c.signature) != ed25519.SignatureSize {
		return false
	}
	public, err := new(edwards25519.Point).SetBytes(c.key[:])
	if err != nil {
		return false
	}
	response, err := edwards25519.NewScalar().SetCanonicalBytes(c.signature[32:])
	if err != nil {
		return false
	}
	challenge, err := edwards25519.NewScalar().SetUniformBytes(c.wide.Sum(nil))
	if err != nil {
		return false
	}
	commitment := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(challenge, public.Negate(public), response)
	return bytes.Equal(c.signature[:32], commitment.Bytes())
}

// SignedFrom reports, like Signed, whether the key made the signature over the message. It reads the message once.
func (k PublicKey) SignedFrom(message Message, signature []byte) (bool, error) {
	check := k.Check(signature)
	if err := feed(message, check); err != nil {
		return false, err
	}
	return check.Passed(), nil
}

// scalarOf returns the SHA-512 of the concatenation of before and the message, as a scalar, and the SHA-256 of the
// message alone.
func scalarOf(message Message, before ...[]byte) (*edwards25519.Scalar, [sha256.Size]byte, error) {
	wide, alone := sha512.New(), sha256.New()
	for _, b := range before {
		wide.Write(b)
	}
	if err := feed(message, io.MultiWriter(wide, alone)); err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	scalar, err := edwards25519.NewScalar().SetUniformBytes(wide.Sum(nil))
	return scalar, sum(alone), err
}

func sum(h hash.Hash) [sha256.Size]byte { return [sha256.Size]byte(h.Sum(nil)) }

// chunk is the size of the read buffer, in bytes.
const chunk = 256 << 10

// feed copies the whole message. A message that is shorter than its size is refused.
func feed(message Message, to io.Writer) error {
	buffer := make([]byte, min(chunk, message.Size()))
	for at := int64(0); at < message.Size(); {
		piece := buffer[:min(int64(len(buffer)), message.Size()-at)]
		n, err := message.ReadAt(piece, at)
		if n < len(piece) {
			if errors.Is(err, io.EOF) {
				err = refusal.New(refusal.SizeMismatch, "the message was truncated while it was read")
			}
			return err
		}
		if _, err := to.Write(piece); err != nil {
			return err
		}
		at += int64(len(piece))
	}
	return nil
}
