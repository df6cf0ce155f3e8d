package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"strings"

	"golang.org/x/crypto/ssh"

	"nexus/libupdates/refusal"
)

// A seed and a public key are both 32 bytes and look alike, so our own key files say which they hold.
const (
	seedPrefix   = "nexus-ed25519-seed:"
	publicPrefix = "nexus-ed25519-public:"
)

// A seed is an Ed25519 private key (RFC 8032).
type seed = [ed25519.SeedSize]byte

// A keyText is a parsed key text. Exactly one field is set.
type keyText struct {
	seed   *seed
	public *PublicKey
	locked *lockedKey
	bare   []byte // 32 bytes as hex, without a prefix: a seed or a public key
}

// private reports whether the text holds a secret.
func (k keyText) private() bool { return k.seed != nil || k.locked != nil }

// parseText parses a key in any supported form: our own, OpenSSH, PKCS#8 and SPKI as PEM and as DER, public keys of
// minisign and signify, and bare hex.
// Refused as BadKey. Errors never contain any part of the text.
func parseText(raw []byte) (keyText, error) {
	text := bytes.TrimSpace(raw)
	if value, ok := bytes.CutPrefix(text, []byte(seedPrefix)); ok {
		return keyOf(value, func(k []byte) keyText { return keyText{seed: (*seed)(k)} })
	}
	if value, ok := bytes.CutPrefix(text, []byte(publicPrefix)); ok {
		return keyOf(value, func(k []byte) keyText { return keyText{public: (*PublicKey)(k)} })
	}
	if k, err := keyOf(text, func(k []byte) keyText { return keyText{bare: k} }); err == nil {
		return k, nil
	}
	if block, rest := pem.Decode(raw); block != nil {
		return parsePEM(raw, block, rest)
	}
	if isDER(raw) {
		return parseDER(raw)
	}
	if bytes.HasPrefix(text, []byte(minisignComment)) {
		return parseMinisign(text)
	}
	return parseLine(text)
}

// isDER reports whether the bytes are exactly one ASN.1 sequence, as every DER key is.
func isDER(raw []byte) bool {
	var whole asn1.RawValue
	rest, err := asn1.Unmarshal(raw, &whole)
	return err == nil && len(rest) == 0 && whole.Tag == asn1.TagSequence
}

// keyOf parses 64 hex digits and makes a key of them.
func keyOf(digits []byte, as func([]byte) keyText) (keyText, error) {
	k, err := hex.DecodeString(string(digits))
	if err != nil || len(k) != ed25519.PublicKeySize {
		return keyText{}, refusal.New(refusal.BadKey, "the key does not have %d hex digits", 2*ed25519.PublicKeySize)
	}
	return as(k), nil
}

// parsePEM parses a file with one PEM block.
func parsePEM(raw []byte, block *pem.Block, rest []byte) (keyText, error) {
	if bytes.Contains(rest, []byte("-----BEGIN ")) {
		return keyText{}, refusal.New(refusal.BadKey, "more than one PEM block, want one key only")
	}
	switch kind := block.Type; {
	case kind == "OPENSSH PRIVATE KEY":
		return parseOpenSSH(block)
	case kind == "ENCRYPTED PRIVATE KEY":
		return keyText{}, refusal.New(refusal.BadKey, "encrypted PKCS#8 keys are not supported: "+
			"`openssl pkey -in FILE -out NEW` decrypts it, into a file that must be kept safe")
	case kind == "PRIVATE KEY":
		return parseDER(block.Bytes)
	case kind == "PUBLIC KEY":
		if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("-----BEGIN ")) || len(bytes.TrimSpace(rest)) > 0 {
			return keyText{}, refusal.New(refusal.BadKey, "text besides the PEM block, want a public key only")
		}
		return parseDER(block.Bytes)
	case strings.HasSuffix(kind, " PRIVATE KEY"), strings.HasSuffix(kind, " PUBLIC KEY"):
		return keyText{}, errNotEd25519()
	default:
		return keyText{}, errNoKey()
	}
}

// parseDER parses a PKCS#8 private key or an SPKI public key (RFC 8410).
func parseDER(der []byte) (keyText, error) {
	if !isDER(der) {
		return keyText{}, errNoKey()
	}
	if parsed, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		private, ok := parsed.(ed25519.PrivateKey)
		if !ok {
			return keyText{}, errNotEd25519()
		}
		return keyText{seed: (*seed)(private.Seed())}, nil
	}
	if parsed, err := x509.ParsePKIXPublicKey(der); err == nil {
		public, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return keyText{}, errNotEd25519()
		}
		return keyText{public: (*PublicKey)(public)}, nil
	}
	return keyText{}, refusal.New(refusal.BadKey,
		"the key is neither a PKCS#8 nor an SPKI key of a known type")
}

// parseLine parses an OpenSSH public key: one line without options.
func parseLine(text []byte) (keyText, error) {
	parsed, _, options, _, err := ssh.ParseAuthorizedKey(text)
	switch {
	case err != nil:
		return keyText{}, errNoKey()
	case bytes.ContainsAny(text, "\r\n"):
		return keyText{}, refusal.New(refusal.BadKey, "more than one line, want one key only")
	case len(options) > 0:
		return keyText{}, refusal.New(refusal.BadKey, "the key has options, which are not supported")
	}
	public, err := fromSSH(parsed)
	return keyText{public: &public}, err
}

func errNotEd25519() error { return refusal.New(refusal.BadKey, "the key is not Ed25519") }

func errNoKey() error {
	return refusal.New(refusal.BadKey,
		"not a key in a supported form: `nxs-pack keygen`, OpenSSH, minisign, or PKCS#8 and SPKI (PEM, DER)")
}
