package digest

import "crypto/sha256"

// Sum is a SHA-256 digest.
type Sum = [sha256.Size]byte

// Sums are the digests of a stream. Those that were not asked for are zero.
type Sums struct {
	SHA256 Sum // of all bytes
	Verity Sum // the fs-verity digest
}

// Kinds says which digests of a stream are computed.
type Kinds uint8

// The kinds of digest.
const (
	SHA256 Kinds = 1 << iota
	Verity       // alone, it lets the parts of one stream be read, written and hashed in parallel
)

// A Stream is a sequence of bytes to be hashed. Run calls its functions from its own goroutines, those of different
// streams concurrently. Offsets are relative to the beginning of the stream.
type Stream struct {
	// Size is the number of bytes.
	Size int64

	// Kinds are the digests that Check needs.
	Kinds Kinds

	// Offset is where the stream begins in the file that Write writes to, or that Read reads from. Pieces end at
	// multiples of their size in that file, and have the same alignment in memory, modulo BlockSize, as direct I/O
	// requires.
	Offset int64

	// Read fills p with the bytes at off. If it cannot fill p, it must return an error. Unless Kinds is Verity alone,
	// it is called sequentially, from the beginning to the end.
	Read func(p []byte, off int64) error

	// Write is called with what Read has read, in the same pieces. It may be nil. It runs concurrently with later
	// reads, with the hashing of the same bytes, which it must not change or keep, and with itself, because two
	// requests at a time keep a disk busy.
	Write func(p []byte, off int64) error

	// Check is called with the digests after the whole stream has been read and written without error. It may be nil.
	Check func(Sums) error
}
