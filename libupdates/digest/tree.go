package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// The fs-verity digest of a file (docs.kernel.org, "fs-verity", "Merkle tree" and "fs-verity descriptor"): SHA-256,
// blocks of BlockSize, no salt. The blocks of the file are hashed, the hashes are packed into blocks which are hashed
// in turn, and so on until one hash is left. The last block of each level is padded with zeros. The digest is the hash
// of a descriptor that holds this root and the size of the file.

const (
	leavesPerSpan = BlockSize / sha256.Size
	// span is the number of bytes under one hash of the second level. Whole spans can be hashed apart from each other.
	span = leavesPerSpan * BlockSize
)

// A Tree computes the fs-verity digest of what is written to it, in one thread. Run does so in many.
type Tree struct {
	spans  []byte // hashes of the second level, one for each whole span
	leaves []byte // hashes of the blocks behind the last whole span
	rest   []byte // bytes behind the last whole block
	size   int64
}

// Write never fails.
func (t *Tree) Write(p []byte) (int, error) {
	n := len(p)
	t.size += int64(n)
	if len(t.rest) > 0 {
		more := min(n, BlockSize-len(t.rest))
		t.rest, p = append(t.rest, p[:more]...), p[more:]
		if len(t.rest) < BlockSize {
			return n, nil
		}
		t.blocks(t.rest)
		t.rest = t.rest[:0]
	}
	whole := len(p) &^ (BlockSize - 1)
	t.blocks(p[:whole])
	t.rest = append(t.rest, p[whole:]...)
	return n, nil
}

// blocks adds whole blocks.
func (t *Tree) blocks(p []byte) {
	hash := fastestLeaves()
	for len(p) > 0 {
		n := min(len(p), (leavesPerSpan-len(t.leaves)/sha256.Size)*BlockSize)
		t.leaves, p = hash(t.leaves, p[:n]), p[n:]
		if len(t.leaves) == BlockSize {
			t.spans, t.leaves = hash(t.spans, t.leaves), t.leaves[:0]
		}
	}
}

// join adds what follows, which must begin at a whole span.
func (t *Tree) join(next *Tree) {
	t.spans = append(t.spans, next.spans...)
	t.leaves, t.rest = next.leaves, next.rest
	t.size += next.size
}

// Sum returns the digest of what has been written. It must be called once, at the end.
func (t *Tree) Sum() Sum {
	hash := fastestLeaves()
	if len(t.rest) > 0 {
		t.leaves = hash(t.leaves, padded(t.rest))
	}
	level := t.spans
	switch {
	case len(level) == 0 && len(t.leaves) == sha256.Size:
		level = t.leaves
	case len(t.leaves) > 0:
		level = hash(level, padded(t.leaves))
	}
	for len(level) > sha256.Size {
		level = hash(nil, padded(level))
	}
	return t.descriptor(level)
}

// padded fills the last block with zeros.
func padded(p []byte) []byte {
	return append(slices.Clip(p), make([]byte, -len(p)&(BlockSize-1))...)
}

// descriptor returns the digest of the descriptor for that root, which is empty for an empty file.
func (t *Tree) descriptor(root []byte) Sum {
	var d [256]byte
	d[0] = 1  // version
	d[1] = 1  // SHA-256
	d[2] = 12 // the logarithm of BlockSize
	binary.LittleEndian.PutUint64(d[8:], uint64(t.size))
	copy(d[16:], root)
	return sha256.Sum256(d[:])
}
