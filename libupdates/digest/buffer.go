package digest

import (
	"sync/atomic"
	"unsafe"
)

// BlockSize is the alignment of direct I/O, in bytes: a multiple of the block size of every disk in use.
const BlockSize = 4096

// Memory is the most that one Run uses for buffers, in bytes.
const Memory = 25 << 20

// worthFreeing is the size of buffers from which a collection is cheaper than to keep them, in bytes.
const worthFreeing = 256 << 10

// Bounds of a piece, in bytes. Smaller pieces reduce the throughput of a disk; larger ones are evicted from a core's
// cache between reading and hashing. With twelve lanes on each of two cores, 24 streams are in flight, and Memory
// allows 512 KiB per piece.
const (
	minPiece = 64 << 10
	maxPiece = 1 << 20
	maxRead  = 256 << 10 // if nothing is written
)

// The number of pieces per stream in flight, and how many of them are written at a time. With many streams, one piece
// is read and hashed while the other is written, and larger pieces help more than a third one. With few streams, the
// disk needs more requests from each.
const (
	piecesPerStream = 2
	fewStreams      = 4
	piecesOfFew     = 6
	writesOfFew     = 2
)

func depth(streams int, written bool) (pieces, writes int, largest int64) {
	switch {
	case !written:
		return piecesPerStream, 0, maxRead
	case streams > fewStreams:
		return piecesPerStream, 1, maxPiece
	default:
		return piecesOfFew, writesOfFew, maxPiece
	}
}

// maxStreams is the maximum number of streams in flight within Memory.
const maxStreams = Memory / (piecesPerStream * (minPiece + BlockSize))

// A ring holds the buffers of one stream in flight.
type ring struct {
	size   int64 // of a piece
	writes int   // how many pieces are written at a time
	free   chan *piece
}

// newRing allocates the buffers of one stream, for that many streams in flight of at most largest bytes each, of which
// any may be written.
func newRing(streams int, largest int64, written bool) *ring {
	pieces, writes, size := depth(streams, written)
	for size > minPiece && int64(streams*pieces)*(size+BlockSize) > Memory {
		size /= 2
	}
	for size > BlockSize && size/2 >= largest {
		size /= 2
	}
	r := &ring{size: size, writes: writes, free: make(chan *piece, pieces)}
	for range pieces {
		r.free <- &piece{block: aligned(size), home: r}
	}
	return r
}

// bytes is the size of all buffers.
func (r *ring) bytes() int64 { return int64(cap(r.free)) * r.size }

// take waits for a free buffer and returns it for at most left bytes at that offset in the file.
func (r *ring) take(at, left int64) *piece {
	p := <-r.free
	from := at % BlockSize
	p.bytes = p.block[from : from+min(left, r.size-at%r.size)]
	return p
}

// A piece is part of a stream.
type piece struct {
	block []byte // aligned to BlockSize
	bytes []byte // the part of block in use
	off   int64  // of bytes, within the stream
	users atomic.Int32
	home  *ring
}

// pass passes the piece to its users. The last of them frees it.
func (p *piece) pass(users []chan *piece) {
	p.users.Store(int32(len(users)) + 1)
	for _, user := range users {
		user <- p
	}
	p.release()
}

func (p *piece) release() {
	if p.users.Add(-1) == 0 {
		p.home.free <- p
	}
}

// aligned allocates a buffer that is aligned to BlockSize.
func aligned(size int64) []byte {
	b := make([]byte, size+BlockSize)
	from := -int64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (BlockSize - 1)
	return b[from : from+size]
}
