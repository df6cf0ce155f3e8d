package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"

	"nexus/libupdates/refusal"
)

// Files of minisign and of OpenBSD's signify have the same form: a line with a comment, and a line in base64 with an
// algorithm of two bytes, a key number of eight, and a public key or a signature. minisign's signatures may go on.
const (
	minisignComment = "untrusted comment:"
	minisignHead    = 2 + 8
	minisignRaw     = "Ed" // over the raw bytes of the message
	minisignHashed  = "ED" // over BLAKE2b-512 of the message, minisign's default
)

// minisignLine returns the second line of such a file, decoded; false if it is not one.
func minisignLine(text []byte) ([]byte, bool) {
	_, rest, found := bytes.Cut(text, []byte("\n"))
	if !found || !bytes.HasPrefix(text, []byte(minisignComment)) {
		return nil, false
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(line)))
	return raw, err == nil && len(raw) >= minisignHead
}

// parseMinisign parses a public key of minisign or signify.
func parseMinisign(text []byte) (keyText, error) {
	raw, ok := minisignLine(text)
	if !ok || len(raw) != minisignHead+ed25519.PublicKeySize || string(raw[:2]) != minisignRaw {
		return keyText{}, refusal.New(refusal.BadKey,
			"not a public key of minisign or signify; a private key of theirs signs with their own program only")
	}
	return keyText{public: (*PublicKey)(raw[minisignHead:])}, nil
}

// ParseMinisign returns the signature in a file of minisign or signify; false if it is not one. A signature that is not
// over the raw bytes of its message is refused as InvalidSignature.
func ParseMinisign(text []byte) (signature []byte, is bool, err error) {
	raw, ok := minisignLine(text)
	if !ok || len(raw) != minisignHead+ed25519.SignatureSize {
		return nil, false, nil
	}
	switch string(raw[:2]) {
	case minisignRaw:
		return raw[minisignHead:], true, nil
	case minisignHashed:
		return nil, true, refusal.New(refusal.InvalidSignature,
			"the signature is over a digest of the file, not over its bytes: `minisign -S -l` makes the other kind")
	default:
		return nil, false, nil
	}
}
