package trust

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"nexus/libupdates/refusal"
)

// Signer makes Ed25519 signatures over raw messages.
type Signer interface {
	Public() PublicKey
	Sign(message []byte) ([]byte, error)
}

// NewSigner returns the signer of a 32-byte seed.
func NewSigner(seed [ed25519.SeedSize]byte) Signer {
	return seedSigner{ed25519.NewKeyFromSeed(seed[:])}
}

type seedSigner struct{ key ed25519.PrivateKey }

func (s seedSigner) Public() PublicKey { return PublicKey(s.key.Public().(ed25519.PublicKey)) }

func (s seedSigner) Sign(message []byte) ([]byte, error) {
	return s.key.Sign(nil, message, crypto.Hash(0))
}

// maxKeyFile bounds a key file, in bytes.
const maxKeyFile = 16 << 10

// agentPrefix says that the key is in the running ssh-agent: `agent:` alone or with a comment or SHA256 fingerprint.
const agentPrefix = "agent:"

// publicSuffix is how the names of public key files end. A seed and a public key are both 64 hex digits: only the name tells them apart,
// and nobody must ever sign with a public key as the seed.
const publicSuffix = ".pub"

// LoadSigner returns the signer that a key names: a file with a 32-byte seed as hex or an OpenSSH private key without a passphrase;
// a file with a public key (as hex in a file `*.pub`, or OpenSSH), or `agent:` with a comment or fingerprint, for a key in the running
// ssh-agent. Refused as BadKey; no part of a key is in the error.
func LoadSigner(name string) (Signer, error) {
	if which, ok := strings.CutPrefix(name, agentPrefix); ok {
		return agentSigner(func(key *agent.Key, _ PublicKey) bool {
			return which == "" || key.Comment == which || ssh.FingerprintSHA256(key) == which
		})
	}
	text, err := readKeyFile(name)
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err == nil && len(seed) == ed25519.SeedSize && !strings.HasSuffix(name, publicSuffix) {
		return NewSigner([ed25519.SeedSize]byte(seed)), nil
	}
	if public, err := ParsePublicKey(text); err == nil {
		return agentSigner(func(_ *agent.Key, held PublicKey) bool { return held == public })
	}
	return parsePrivateKey(text)
}

func readKeyFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read key: %w", err)
	}
	if len(text) > maxKeyFile {
		return nil, refusal.New(refusal.BadKey, "key file is over %d bytes", maxKeyFile)
	}
	return text, nil
}

// parsePrivateKey reads an OpenSSH private key.
func parsePrivateKey(text []byte) (Signer, error) {
	parsed, err := ssh.ParseRawPrivateKey(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, refusal.New(refusal.BadKey, "the key has a passphrase: add it to ssh-agent and name it as agent:")
	case err != nil:
		return nil, refusal.New(refusal.BadKey, "neither a 32-byte seed as hex nor an OpenSSH key")
	}
	key, ok := parsed.(*ed25519.PrivateKey)
	if !ok || len(*key) != ed25519.PrivateKeySize {
		return nil, refusal.New(refusal.BadKey, "the key is not Ed25519")
	}
	return NewSigner([ed25519.SeedSize]byte(key.Seed())), nil // the public half is derived: the file's may be another
}
