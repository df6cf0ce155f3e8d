package delta

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"nexus/libupdates/refusal"
)

// version is the version of the format that this package makes and applies.
const version = 1

// Bounds of a patch, in bytes unless said otherwise. They keep what an applier needs within 16 MiB.
const (
	MaxSize    = 16 << 30 // of a payload
	MaxBlock   = 4 << 20  // of one block
	maxControl = 2 << 20  // of the control part, decoded
	maxPieces  = 64 << 10 // pieces, a number
	maxContent = 2 << 20  // of one of the three parts of a block, decoded
)

// A Link names a block: its size, and its SHA-256.
type Link struct {
	Size   int64
	Digest [sha256.Size]byte
}

// linkTo returns the link to a block.
func linkTo(block []byte) Link { return Link{int64(len(block)), sha256.Sum256(block)} }

// appendLink appends the link to the next block; the last block has one of size 0 and no digest.
func appendLink(b []byte, next Link) []byte {
	b = binary.AppendUvarint(b, uint64(next.Size))
	if next.Size > 0 {
		b = append(b, next.Digest[:]...)
	}
	return b
}

// A reader reads a verified block. Its first error stays.
type reader struct {
	rest []byte
	err  error
}

func bad(format string, args ...any) error {
	return refusal.New(refusal.BadPatch, "bad patch: "+format, args...)
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err, r.rest = bad(format, args...), nil
	}
}

// number reads a number of at most limit.
func (r *reader) number(limit int64, what string) int64 {
	v, n := binary.Uvarint(r.rest)
	switch {
	case n <= 0, n > 1 && v>>(7*(n-1)) == 0:
		r.fail("%s is no number", what)
		return 0
	case v > uint64(limit):
		r.fail("%s is %d, at most %d is possible", what, v, limit)
		return 0
	}
	r.rest = r.rest[n:]
	return int64(v)
}

// bytes reads n bytes.
func (r *reader) bytes(n int64, what string) []byte {
	if n > int64(len(r.rest)) {
		r.fail("%s ends too early", what)
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// link reads the link to the next block.
func (r *reader) link() Link {
	next := Link{Size: r.number(MaxBlock, "the size of the next block")}
	if next.Size > 0 {
		copy(next.Digest[:], r.bytes(sha256.Size, "the digest of the next block"))
	}
	return next
}

// end reports that nothing may follow.
func (r *reader) end(what string) {
	if len(r.rest) > 0 {
		r.fail("%d bytes follow %s", len(r.rest), what)
	}
}

// zigzag maps numbers of either sign to small positive ones.
func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// widest is the most bytes that a number takes up.
const widest = (bits.UintSize + 6) / 7
