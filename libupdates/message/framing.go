// Package message opens untrusted Cap'n Proto messages and writes canonical ones. Before anything is read, it bounds
// the cost of reading: segment count, sizes, nesting, and the total size of what pointers refer to. It knows no
// schemas.
//
// The format is the standard stream framing (https://capnproto.org/encoding.html#serialization-over-a-stream): the
// number of segments minus one in 32 bits, the size of each in words in 32 bits, padding to a word, then the segments.
package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"capnproto.org/go/capnp/v3"
)

// Bounds of an untrusted message.
const (
	wordSize       = 8
	maxSegments    = 64
	maxDepth       = 8 // our deepest durable type nests three levels
	traverseFactor = 8 // limit on the bytes read, as a multiple of the message's size; overlapping pointers exceed it
	traverseBase   = 4 << 10
)

// Open opens a message that takes up all of raw. Its allocations are bounded by the length of raw.
func Open(raw []byte) (*capnp.Message, error) {
	if err := checkTable(raw); err != nil {
		return nil, err
	}
	msg, err := capnp.Unmarshal(raw)
	if err != nil {
		return nil, err
	}
	msg.ResetReadLimit(uint64(traverseFactor*len(raw) + traverseBase))
	msg.DepthLimit = maxDepth
	return msg, nil
}

// checkTable checks that the segment table describes raw exactly.
func checkTable(raw []byte) error {
	if len(raw) < wordSize || len(raw)%wordSize != 0 {
		return fmt.Errorf("%d bytes are not a message", len(raw))
	}
	segments := uint64(binary.LittleEndian.Uint32(raw)) + 1
	if segments > maxSegments {
		return fmt.Errorf("%d segments, want at most %d", segments, maxSegments)
	}
	table := (4 + 4*int(segments) + wordSize - 1) / wordSize * wordSize
	if table > len(raw) {
		return errors.New("the segment table is truncated")
	}
	total := uint64(table)
	for i := range int(segments) {
		total += uint64(binary.LittleEndian.Uint32(raw[4+4*i:])) * wordSize
	}
	if total != uint64(len(raw)) {
		return fmt.Errorf("the segments take up %d of %d bytes", total, len(raw))
	}
	return nil
}

// Canonical returns the canonical encoding of a struct in one segment. Equal structs have the same encoding.
func Canonical(root capnp.Struct) ([]byte, error) {
	segment, err := capnp.Canonicalize(root)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, wordSize, wordSize+len(segment))
	binary.LittleEndian.PutUint32(raw[4:], uint32(len(segment)/wordSize))
	return append(raw, segment...), nil
}

// Text checks a text field: it must be valid UTF-8 without NUL, of at most limit bytes.
func Text(s string, err error, limit int) (string, error) {
	switch {
	case err != nil:
		return "", err
	case len(s) > limit:
		return "", fmt.Errorf("a text has %d bytes, want at most %d", len(s), limit)
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return "", errors.New("a text is not plain UTF-8")
	}
	return strings.Clone(s), nil
}

// A Kind is the type of the object that a pointer refers to.
type Kind uint8

// The kinds.
const (
	ToStruct Kind = iota
	ToList
	ToData
	ToText
)

// Pointers checks that each of the first pointers of a struct is null or refers to an object of the kind in its schema.
// The library reads a pointer of a wrong kind as null, while other readers refuse the message; all must read the same.
func Pointers(s capnp.Struct, kinds ...Kind) error {
	for i, kind := range kinds {
		p, err := s.Ptr(uint16(i))
		if err != nil {
			return err
		}
		if p.IsValid() && !kind.is(p) {
			return fmt.Errorf("pointer %d does not refer to what its schema says", i)
		}
	}
	return nil
}

func (k Kind) is(p capnp.Ptr) bool {
	switch k {
	case ToStruct:
		return p.Struct().IsValid()
	case ToList:
		return p.List().IsValid()
	case ToData:
		return p.Data() != nil
	default:
		return p.TextBytes() != nil
	}
}
