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

// Ed25519 reads its message twice (RFC 8032, 5.1.6): for the nonce, and for the challenge. The standard library wants
// it in memory for that; a payload of gigabytes is read from its file instead. The arithmetic is that of
// filippo.io/edwards25519, which the standard library's is made from: what it does with the seed and the nonce takes
// the same time whatever they are.

// A Message is what is signed or checked where it lies. It is read more than once.
type Message = *io.SectionReader

// SignFrom signs like Sign. A message that changes between the two readings is refused as DigestMismatch: two
// challenges with one nonce would give the key away.
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

// A Check tells whether a key made a signature over all that is written to it. What it accepts is exactly what the
// standard library accepts.
type Check struct {
	key       PublicKey
	signature []byte
	wide      hash.Hash // of the commitment, the key and the message
}

// Check begins to check a signature. One of another size than 64 bytes is none.
func (k PublicKey) Check(signature []byte) *Check {
	c := &Check{k, signature, sha512.New()}
	c.wide.Write(signature[:min(len(signature), ed25519.SignatureSize/2)])
	c.wide.Write(k[:])
	return c
}

// Write takes the next bytes of the message.
func (c *Check) Write(p []byte) (int, error) { return c.wide.Write(p) }

// Passed tells whether the message that was written is what was signed.
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

// SignedFrom tells, like Signed, whether the key made the signature over the message; it reads the message once.
func (k PublicKey) SignedFrom(message Message, signature []byte) (bool, error) {
	check := k.Check(signature)
	if err := feed(message, check); err != nil {
		return false, err
	}
	return check.Passed(), nil
}

// scalarOf is the SHA-512 of what stands before the message and of the message, as a scalar. It returns the SHA-256 of
// the message beside it.
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

// chunk is how much of a message is in memory at a time, in bytes.
const chunk = 256 << 10

// feed hands on all of the message, which is as long as it says.
func feed(message Message, to io.Writer) error {
	buffer := make([]byte, min(chunk, message.Size()))
	for at := int64(0); at < message.Size(); {
		piece := buffer[:min(int64(len(buffer)), message.Size()-at)]
		n, err := message.ReadAt(piece, at)
		if n < len(piece) {
			if errors.Is(err, io.EOF) {
				err = refusal.New(refusal.SizeMismatch, "the message became shorter while it was read")
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
