package digest

import "crypto/sha256"

// Sum is a SHA-256.
type Sum = [sha256.Size]byte

// A Stream is a number of bytes whose digest is wanted. Its functions are called from goroutines of Run's, the
// functions of different streams at the same time; off counts from the stream's beginning.
type Stream struct {
	// Size is how many bytes there are.
	Size int64

	// Offset is where the stream begins in the file that Write writes to, or that Read reads from. The pieces of a
	// stream end where multiples of their size end in that file, and lie in memory as they do there, modulo BlockSize:
	// what direct I/O wants.
	Offset int64

	// Read fills p with the bytes at off. It is called from the beginning to the end, one call after the other. It must
	// fail where it cannot fill p.
	Read func(p []byte, off int64) error

	// Write, if there is one, is handed what Read has read, in the same pieces. It runs beside the reading of what
	// follows, beside the digesting of the same bytes, which it must not change or keep, and beside itself: a disk that
	// has two requests at a time is busy.
	Write func(p []byte, off int64) error

	// Check is given the digest, when all of the stream was read and written without an error. It may be nil.
	Check func(sum Sum) error
}
