// Package message opens Cap'n Proto messages that come from outside, and writes canonical ones. It bounds what reading
// may cost before anything is read: segment count, sizes, nesting, and how far pointers may unfold. It knows no schema.
//
// The format is standard stream framing (https://capnproto.org/encoding.html#serialization-over-a-stream): a 32-bit
// count of segments less one, a 32-bit size in words of each, padding to a word, then the segments.
package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"capnproto.org/go/capnp/v3"
)

// Bounds on a message from outside.
const (
	wordSize       = 8
	maxSegments    = 64
	maxDepth       = 8 // our deepest durable type nests three levels
	traverseFactor = 8 // bytes visited, as a multiple of the message's size; more is a message that points at itself
	traverseBase   = 4 << 10
)

// Open reads a message that takes up all of raw. It allocates nothing that raw's own length does not bound.
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

// checkTable wants the segment table to describe raw exactly.
func checkTable(raw []byte) error {
	if len(raw) < wordSize || len(raw)%wordSize != 0 {
		return fmt.Errorf("%d bytes are no message", len(raw))
	}
	segments := uint64(binary.LittleEndian.Uint32(raw)) + 1
	if segments > maxSegments {
		return fmt.Errorf("%d segments are more than %d", segments, maxSegments)
	}
	table := (4 + 4*int(segments) + wordSize - 1) / wordSize * wordSize
	if table > len(raw) {
		return errors.New("the segment table is cut off")
	}
	total := uint64(table)
	for i := range int(segments) {
		total += uint64(binary.LittleEndian.Uint32(raw[4+4*i:])) * wordSize
	}
	if total != uint64(len(raw)) {
		return fmt.Errorf("the segments take up %d bytes of %d", total, len(raw))
	}
	return nil
}

// Canonical writes a struct as the one message that all equal structs have: canonical form, one segment.
func Canonical(root capnp.Struct) ([]byte, error) {
	segment, err := capnp.Canonicalize(root)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, wordSize, wordSize+len(segment))
	binary.LittleEndian.PutUint32(raw[4:], uint32(len(segment)/wordSize))
	return append(raw, segment...), nil
}

// Text takes a text field of at most limit bytes: valid UTF-8 without NUL.
func Text(s string, err error, limit int) (string, error) {
	switch {
	case err != nil:
		return "", err
	case len(s) > limit:
		return "", fmt.Errorf("a text of %d bytes is over %d", len(s), limit)
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return "", errors.New("a text is no plain UTF-8")
	}
	return strings.Clone(s), nil
}

// A Kind is what a pointer of a struct leads to.
type Kind uint8

// The kinds.
const (
	ToStruct Kind = iota
	ToList
	ToData
	ToText
)

// Pointers wants the first pointers of a struct each to be null or to lead to what its schema says. The library reads a
// pointer to anything else as null, other readers refuse the message: nothing may be one thing here and another there.
func Pointers(s capnp.Struct, kinds ...Kind) error {
	for i, kind := range kinds {
		p, err := s.Ptr(uint16(i))
		if err != nil {
			return err
		}
		if p.IsValid() && !kind.is(p) {
			return fmt.Errorf("pointer %d leads to something else than its schema says", i)
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
