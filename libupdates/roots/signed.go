package roots

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A Signed is a document and signatures of it. Nothing of either has been verified.
type Signed struct {
	Version    uint64 // what the file says; the document decides
	Document   []byte
	Signatures []trust.Signature // in ascending order of their keys
}

// A file is one or more of these, one after the other:
//
//	 0   8 bytes   nxroot1 and a line feed
//	 8   8 bytes   version, little-endian
//	16   4 bytes   size of the document, little-endian
//	20   4 bytes   number of signatures, little-endian
//	24             signatures of 96 bytes, as in trust.ParseSignatures
//	               document
const (
	magic      = "nxroot1\n"
	headerSize = 24
)

// MaxChain bounds a file of roots, in bytes.
const MaxChain = 1 << 20

// Encode returns the root as a file.
func (s Signed) Encode() []byte {
	raw := append(make([]byte, 0, headerSize+len(s.Document)), magic...)
	raw = binary.LittleEndian.AppendUint64(raw, s.Version)
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(s.Document)))
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(s.Signatures)))
	return append(append(raw, trust.EncodeSignatures(s.Signatures)...), s.Document...)
}

// size returns the size of the root as a file, in bytes.
func (s Signed) size() int {
	return headerSize + len(s.Signatures)*trust.SignatureSize + len(s.Document)
}

// Digest returns the digest of the document, by which an operator knows a root.
func (s Signed) Digest() Digest { return sha256.Sum256(s.Document) }

// Split takes a file of roots apart. It looks at sizes only. Refusals: BadRoot, TooManySignatures, BadSignatures.
func Split(raw []byte) ([]Signed, error) {
	if len(raw) > MaxChain {
		return nil, bad("%d bytes are over the limit of %d", len(raw), MaxChain)
	}
	if len(raw) == 0 {
		return nil, bad("the file is empty")
	}
	var chain []Signed
	for len(raw) > 0 {
		s, rest, err := splitOne(raw)
		if err != nil {
			return nil, err
		}
		chain, raw = append(chain, s), rest
	}
	return chain, nil
}

func splitOne(raw []byte) (s Signed, rest []byte, err error) {
	if len(raw) < headerSize || !bytes.HasPrefix(raw, []byte(magic)) {
		return s, nil, bad("it is not a file of roots")
	}
	document := int(binary.LittleEndian.Uint32(raw[16:]))
	signatures := int(binary.LittleEndian.Uint32(raw[20:]))
	s.Version = binary.LittleEndian.Uint64(raw[8:])
	raw = raw[headerSize:]
	switch {
	case document > MaxDocument:
		return s, nil, bad("a document of %d bytes is over the limit of %d", document, MaxDocument)
	case signatures > trust.MaxSignatures:
		return s, nil, refusal.New(refusal.TooManySignatures, "%d signatures are over the limit of %d", signatures,
			trust.MaxSignatures)
	case len(raw) < signatures*trust.SignatureSize+document:
		return s, nil, bad("it is truncated")
	}
	list, raw := raw[:signatures*trust.SignatureSize], raw[signatures*trust.SignatureSize:]
	s.Signatures, err = trust.ParseSignatures(list)
	s.Document = bytes.Clone(raw[:document])
	return s, raw[document:], err
}
