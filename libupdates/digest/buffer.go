package digest

import (
	"sync/atomic"
	"unsafe"
)

// BlockSize is the unit of direct I/O, in bytes: a multiple of every disk's block that is in use.
const BlockSize = 4096

// Memory is the most that one Run takes for buffers, in bytes.
const Memory = 25 << 20

// Bounds of a piece, in bytes. Of smaller ones a disk takes fewer bytes a second, larger ones fall out of a core's
// cache between reading and digesting. Two cores with instructions for twelve lanes have 24 streams in flight, for
// which Memory is 512 KiB a piece.
const (
	minPiece = 64 << 10
	maxPiece = 1 << 20
)

// How many pieces a stream in flight has, and how many of them are written at a time. Where there are many streams, one
// is read and digested while the other one is written, and a larger piece is worth more than a third; where there are
// few, the disk needs more from each.
const (
	piecesPerStream = 2
	fewStreams      = 4
	piecesOfFew     = 6
	writesOfFew     = 2
)

func depth(streams int) (pieces, writes int) {
	if streams > fewStreams {
		return piecesPerStream, 1
	}
	return piecesOfFew, writesOfFew
}

// maxStreams is how many streams there may be in flight within Memory.
const maxStreams = Memory / (piecesPerStream * (minPiece + BlockSize))

// A ring is the buffers of one stream in flight.
type ring struct {
	size   int64 // of a piece
	writes int   // pieces that are written at a time
	free   chan *piece
}

// newRing makes buffers for one of so many streams, none of which is larger than that.
func newRing(streams int, largest int64) *ring {
	pieces, writes := depth(streams)
	size := int64(maxPiece)
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

// take waits for a free buffer, for at most left bytes that belong at an offset in a file.
func (r *ring) take(at, left int64) *piece {
	p := <-r.free
	from := at % BlockSize
	p.bytes = p.block[from : from+min(left, r.size-at%r.size)]
	return p
}

// A piece is part of a stream.
type piece struct {
	block []byte // begins at a multiple of BlockSize
	bytes []byte // what of it is in use
	off   int64  // of bytes, in the stream
	users atomic.Int32
	home  *ring
}

// hold hands the piece to its users; the last of them frees it.
func (p *piece) hold(toHash, toWrite chan<- *piece, written bool) {
	if !written {
		p.users.Store(1)
		toHash <- p
		return
	}
	p.users.Store(2)
	toWrite <- p
	toHash <- p
}

func (p *piece) release() {
	if p.users.Add(-1) == 0 {
		p.home.free <- p
	}
}

// aligned makes a buffer that begins at a multiple of BlockSize.
func aligned(size int64) []byte {
	b := make([]byte, size+BlockSize)
	from := -int64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (BlockSize - 1)
	return b[from : from+size]
}
