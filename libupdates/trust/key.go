package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"

	"golang.org/x/crypto/ssh"

	"nexus/libupdates/refusal"
)

// PublicKey is an Ed25519 public key.
type PublicKey [ed25519.PublicKeySize]byte

// String returns the key as 64 hex digits.
func (k PublicKey) String() string { return hex.EncodeToString(k[:]) }

// ID is the short name of a key in bundle manifests: the first 16 bytes of its SHA-256.
func (k PublicKey) ID() [16]byte {
	sum := sha256.Sum256(k[:])
	return [16]byte(sum[:16])
}

// Signed tells whether the key made the signature over the raw message. A signature of another size than 64 bytes is none.
func (k PublicKey) Signed(message, signature []byte) bool {
	return ed25519.Verify(k[:], message, signature)
}

// ParsePublicKey reads a key as 64 hex digits or as an OpenSSH line (`ssh-ed25519 AAAA… comment`), one line without options. Refused as
// BadKey, and so is a key under which anybody could sign.
func ParsePublicKey(text []byte) (PublicKey, error) {
	key, err := parseKey(bytes.TrimSpace(text))
	if err == nil && key.weak() {
		return PublicKey{}, refusal.New(refusal.BadKey, "key %s is of small order: anybody could sign with it", key)
	}
	return key, err
}

func parseKey(text []byte) (PublicKey, error) {
	if raw, err := hex.DecodeString(string(text)); err == nil && len(raw) == ed25519.PublicKeySize {
		return PublicKey(raw), nil
	}
	if bytes.ContainsAny(text, "\r\n") {
		return PublicKey{}, refusal.New(refusal.BadKey, "more than one line: a key stands alone")
	}
	parsed, _, options, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return PublicKey{}, refusal.New(refusal.BadKey, "neither 64 hex digits nor an OpenSSH public key")
	}
	if len(options) > 0 {
		return PublicKey{}, refusal.New(refusal.BadKey, "the key has options, which would have no effect here")
	}
	return fromSSH(parsed)
}

// fromSSH takes the Ed25519 key out of an OpenSSH one. The key in a security key (sk-ssh-ed25519) is another kind: what it signs is never
// the raw message.
func fromSSH(key ssh.PublicKey) (PublicKey, error) {
	holder, ok := key.(ssh.CryptoPublicKey)
	if !ok || key.Type() != ssh.KeyAlgoED25519 {
		return PublicKey{}, refusal.New(refusal.BadKey, "OpenSSH key of type %s, not %s", key.Type(), ssh.KeyAlgoED25519)
	}
	raw, ok := holder.CryptoPublicKey().(ed25519.PublicKey)
	if !ok || len(raw) != ed25519.PublicKeySize {
		return PublicKey{}, refusal.New(refusal.BadKey, "OpenSSH key of type %s without a key in it", key.Type())
	}
	return PublicKey(raw), nil
}
