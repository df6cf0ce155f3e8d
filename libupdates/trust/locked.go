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

// opensshMagic begins what the PEM block of an OpenSSH private key holds (PROTOCOL.key of OpenSSH).
const opensshMagic = "openssh-key-v1\x00"

// parseOpenSSH reads an OpenSSH private key, or finds that it has a passphrase.
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

// opensshSeed takes the seed; the public half is derived from it, for the file's may be another.
func opensshSeed(parsed any) (*seed, error) {
	key, ok := parsed.(*ed25519.PrivateKey)
	if !ok || len(*key) != ed25519.PrivateKeySize {
		return nil, errNotEd25519()
	}
	return (*seed)(key.Seed()), nil
}

// A lockedKey is an OpenSSH private key under a passphrase.
type lockedKey struct {
	cipher string
	text   []byte // PEM
}

// readable are the ciphers that x/crypto can decrypt. The first is OpenSSH's own choice.
func readable() []string { return []string{"aes256-ctr", "aes256-cbc"} }

// unlock asks for the passphrase, unless the key could not be decrypted with it anyway.
func (k *lockedKey) unlock(ask Passphrase) (*seed, error) {
	if !slices.Contains(readable(), k.cipher) {
		return nil, refusal.New(refusal.BadKey, "the key is encrypted with %q, which is not read here: "+
			"`ssh-keygen -p -Z %s -f FILE` encrypts it anew, or add it to ssh-agent and name it as agent:", k.cipher,
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

// A Passphrase asks whoever started this for the passphrase of a key.
type Passphrase func() ([]byte, error)

// NoPassphrase refuses keys that have one.
func NoPassphrase() ([]byte, error) {
	return nil, refusal.New(refusal.BadKey, "the key has a passphrase: add it to ssh-agent and name it as agent:")
}
