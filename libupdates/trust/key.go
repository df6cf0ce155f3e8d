package trust

import (
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

// Text returns the key as a text that says what it is, for files and command lines. ParsePublicKey reads it.
func (k PublicKey) Text() string { return publicPrefix + k.String() }

// ID is the short name of a key in bundle manifests: the first 16 bytes of its SHA-256.
func (k PublicKey) ID() [16]byte {
	sum := sha256.Sum256(k[:])
	return [16]byte(sum[:16])
}

// Signed tells whether the key made the signature over the raw message. A signature of another size than 64 bytes is
// none.
func (k PublicKey) Signed(message, signature []byte) bool {
	return ed25519.Verify(k[:], message, signature)
}

// ParsePublicKey reads the text of a key: our own form, an OpenSSH line without options (`ssh-ed25519 AAAA… comment`),
// or SPKI as PEM or DER. Refused as BadKey, and so are a private key, bare hex, which could be one, and a key under
// which anybody could sign.
func ParsePublicKey(text []byte) (PublicKey, error) { return parsePublic(text, unclaimed) }

// ParsePublicFile is ParsePublicKey for what a file of that name holds: where the name ends in .pub, bare hex is a
// public key.
func ParsePublicFile(name string, text []byte) (PublicKey, error) {
	claim, _ := claimed(name)
	return parsePublic(text, claim)
}

func parsePublic(text []byte, c claim) (PublicKey, error) {
	k, err := parseText(text)
	if err != nil {
		return PublicKey{}, err
	}
	k = k.as(c)
	switch {
	case k.private():
		return PublicKey{}, refusal.New(refusal.BadKey,
			"it is a private key, which nobody else needs: name the public key that belongs to it")
	case k.public == nil:
		return PublicKey{}, refusal.New(refusal.BadKey,
			"64 hex digits do not say whether they are a public key or a private one: "+
				"if they are public, put %s before them, or %s before the file's name", publicPrefix, hexPublic)
	case !k.public.onCurve():
		return PublicKey{}, refusal.New(refusal.BadKey,
			"%s is no Ed25519 key: nothing could be signed under it", k.public)
	case k.public.weak():
		return PublicKey{}, refusal.New(refusal.BadKey,
			"key %s is of small order: anybody could sign with it", k.public)
	}
	return *k.public, nil
}

// fromSSH takes the Ed25519 key out of an OpenSSH one. The key in a security key (sk-ssh-ed25519) is another kind: what
// it signs is never the raw message.
func fromSSH(key ssh.PublicKey) (PublicKey, error) {
	holder, ok := key.(ssh.CryptoPublicKey)
	if !ok || key.Type() != ssh.KeyAlgoED25519 {
		return PublicKey{}, refusal.New(refusal.BadKey, "OpenSSH key of type %s, not %s", key.Type(),
			ssh.KeyAlgoED25519)
	}
	raw, ok := holder.CryptoPublicKey().(ed25519.PublicKey)
	if !ok || len(raw) != ed25519.PublicKeySize {
		return PublicKey{}, refusal.New(refusal.BadKey, "OpenSSH key of type %s without a key in it", key.Type())
	}
	return PublicKey(raw), nil
}
