package trust

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"nexus/libupdates/refusal"
)

// A Signer makes Ed25519 signatures over raw messages.
type Signer interface {
	Public() PublicKey
	Sign(message []byte) ([]byte, error)
	SignFrom(message Message) ([]byte, error) // like Sign, but reads the message in pieces if it can
}

// NewSigner returns a signer with this seed as its private key.
func NewSigner(seed [ed25519.SeedSize]byte) Signer {
	return seedSigner{ed25519.NewKeyFromSeed(seed[:])}
}

type seedSigner struct{ key ed25519.PrivateKey }

func (s seedSigner) Public() PublicKey { return PublicKey(s.key.Public().(ed25519.PublicKey)) }

func (s seedSigner) Sign(message []byte) ([]byte, error) {
	return s.key.Sign(nil, message, crypto.Hash(0))
}

// NewSeed returns a new private key.
func NewSeed() (seed [ed25519.SeedSize]byte) {
	rand.Read(seed[:]) // never fails: if there is no randomness, the runtime ends the process
	return seed
}

// SeedText returns the seed with a prefix that marks it as a private key, for a file that only its owner can read.
func SeedText(seed [ed25519.SeedSize]byte) string { return seedPrefix + hex.EncodeToString(seed[:]) }

// agentPrefix denotes a key in the running ssh-agent: `agent:` alone, or followed by a comment or SHA256 fingerprint.
const agentPrefix = "agent:"

// LoadSigner returns the signer for a named key. The name is that of a file with a private key in any form that
// parseText supports, or, for a key in the running ssh-agent, that of a file with its public key, or `agent:`, alone or
// followed by a comment or fingerprint. `hex-seed:` before a file's name means that bare hex in it is a private key. If
// the key has a passphrase, ask is called. Refused as BadKey. Errors never contain any part of a key.
func LoadSigner(name string, ask Passphrase) (Signer, error) {
	if which, ok := strings.CutPrefix(name, agentPrefix); ok {
		return agentSigner(func(key *agent.Key, _ PublicKey) bool {
			return which == "" || key.Comment == which || ssh.FingerprintSHA256(key) == which
		})
	}
	claim, file := claimed(name)
	text, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	k, err := parseText(text)
	if err != nil {
		return nil, err
	}
	return k.as(claim).signer(ask)
}

// ParseSigner returns the signer whose private key a text holds, in any form that LoadSigner reads from files. Refused
// as BadKey.
func ParseSigner(text []byte) (Signer, error) {
	k, err := parseText(text)
	if err != nil {
		return nil, err
	}
	if k.seed == nil {
		return nil, refusal.New(refusal.BadKey, "it holds no private key")
	}
	return NewSigner(*k.seed), nil
}

func (k keyText) signer(ask Passphrase) (Signer, error) {
	if k.locked != nil {
		seed, err := k.locked.unlock(ask)
		k.seed = seed
		if err != nil {
			return nil, err
		}
	}
	switch {
	case k.seed != nil:
		return NewSigner(*k.seed), nil
	case k.public != nil:
		signer, err := agentSigner(func(_ *agent.Key, held PublicKey) bool { return held == *k.public })
		if err != nil {
			return nil, refusal.New(refusal.Of(err),
				"it is a public key, and ssh-agent cannot sign for it: %v", err)
		}
		return signer, nil
	default:
		return nil, refusal.New(refusal.BadKey,
			"64 hex digits do not say whether they are a private key or a public one: "+
				"if they are a seed to sign with, put %s before the file's name", hexSeed)
	}
}
