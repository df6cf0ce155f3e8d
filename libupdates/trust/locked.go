package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"

	"golang.org/x/crypto/ssh"

	"nexus/libupdates/refusal"
)

// opensshMagic is the beginning of the PEM block of an OpenSSH private key (PROTOCOL.key of OpenSSH).
const opensshMagic = "openssh-key-v1\x00"

// parseOpenSSH parses an OpenSSH private key. One with a passphrase is returned locked.
func parseOpenSSH(block *pem.Block) (keyText, error) {
	var head struct {
		Cipher string
		Rest   []byte `ssh:"rest"`
	}
	body, ok := bytes.CutPrefix(block.Bytes, []byte(opensshMagic))
	if !ok || ssh.Unmarshal(body, &head) != nil {
		return keyText{}, errNoKey()
	}
	if head.Cipher != "none" {
		return keyText{locked: &lockedKey{head.Cipher, pem.EncodeToMemory(block)}}, nil
	}
	parsed, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(block))
	if err != nil {
		return keyText{}, errNoKey()
	}
	k, err := opensshSeed(parsed)
	return keyText{seed: k}, err
}

// opensshSeed returns the seed. The public half is derived from it, because the one in the file may differ.
func opensshSeed(parsed any) (*seed, error) {
	key, ok := parsed.(*ed25519.PrivateKey)
	if !ok || len(*key) != ed25519.PrivateKeySize {
		return nil, errNotEd25519()
	}
	return (*seed)(key.Seed()), nil
}

// A lockedKey is an OpenSSH private key that is encrypted with a passphrase.
type lockedKey struct {
	cipher string
	text   []byte // PEM
}

// readable returns the ciphers that x/crypto can decrypt. The first is OpenSSH's default.
func readable() []string { return []string{"aes256-ctr", "aes256-cbc"} }

// unlock decrypts the key. It asks for the passphrase only if the cipher is supported.
func (k *lockedKey) unlock(ask Passphrase) (*seed, error) {
	if !slices.Contains(readable(), k.cipher) {
		return nil, refusal.New(refusal.BadKey, "the key is encrypted with %q, which is not supported: "+
			"`ssh-keygen -p -Z %s -f FILE` re-encrypts it, or add it to ssh-agent and name it as agent:", k.cipher,
			readable()[0])
	}
	passphrase, err := ask()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	parsed, err := ssh.ParseRawPrivateKeyWithPassphrase(k.text, passphrase)
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return nil, refusal.New(refusal.BadKey, "the passphrase is wrong")
	case err != nil:
		return nil, refusal.New(refusal.BadKey, "the key cannot be decrypted")
	}
	return opensshSeed(parsed)
}

// A Passphrase asks the user for the passphrase of a key.
type Passphrase func() ([]byte, error)

// NoPassphrase is the Passphrase that refuses encrypted keys.
func NoPassphrase() ([]byte, error) {
	return nil, refusal.New(refusal.BadKey, "the key has a passphrase: add it to ssh-agent and name it as agent:")
}
