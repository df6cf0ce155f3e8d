package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"

	"golang.org/x/crypto/ssh"

	"nexus/libupdates/refusal"
)

// A PublicKey is an Ed25519 public key.
type PublicKey [ed25519.PublicKeySize]byte

// String returns the key as 64 lower-case hex digits.
func (k PublicKey) String() string { return hex.EncodeToString(k[:]) }

// Text returns the key with a prefix that marks it as a public key, for files and command lines. ParsePublicKey accepts
// it.
func (k PublicKey) Text() string { return publicPrefix + k.String() }

// ID returns the short name of the key in bundle manifests: the first 16 bytes of its SHA-256.
func (k PublicKey) ID() [16]byte {
	sum := sha256.Sum256(k[:])
	return [16]byte(sum[:16])
}

// Signed reports whether the key made the signature over the raw message. A signature that does not have 64 bytes is
// invalid.
func (k PublicKey) Signed(message, signature []byte) bool {
	return ed25519.Verify(k[:], message, signature)
}

// ParsePublicKey parses a key: our own form, an OpenSSH line without options (`ssh-ed25519 AAAA… comment`), or SPKI as
// PEM or DER. Everything else is refused as BadKey, including private keys, bare hex, which could be one, and keys
// under which anyone could sign.
func ParsePublicKey(text []byte) (PublicKey, error) { return parsePublic(text, unclaimed) }

// ParsePublicFile is ParsePublicKey for the content of a file. If the file's name ends in .pub, bare hex is accepted as
// a public key.
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
			"it is a private key: use the public key that belongs to it")
	case k.public == nil:
		return PublicKey{}, refusal.New(refusal.BadKey,
			"64 hex digits do not say whether they are a public key or a private one: "+
				"if they are public, put %s before them, or %s before the file's name", publicPrefix, hexPublic)
	}
	if err := k.public.Usable(); err != nil {
		return PublicKey{}, err
	}
	return *k.public, nil
}

// fromSSH returns the Ed25519 key in an OpenSSH key. Keys of security keys (sk-ssh-ed25519) are refused, because they
// never sign the raw message.
func fromSSH(key ssh.PublicKey) (PublicKey, error) {
	holder, ok := key.(ssh.CryptoPublicKey)
	if !ok || key.Type() != ssh.KeyAlgoED25519 {
		return PublicKey{}, refusal.New(refusal.BadKey, "OpenSSH key has type %s, want %s", key.Type(),
			ssh.KeyAlgoED25519)
	}
	raw, ok := holder.CryptoPublicKey().(ed25519.PublicKey)
	if !ok || len(raw) != ed25519.PublicKeySize {
		return PublicKey{}, refusal.New(refusal.BadKey, "OpenSSH key of type %s does not contain a key", key.Type())
	}
	return PublicKey(raw), nil
}
