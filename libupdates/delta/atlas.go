package delta

import (
	"cmp"
	"slices"
)

// A piece says that n positions from old on are in the new file from new on.
type piece struct{ old, new, n int64 }

// An atlas says where the positions of the old file are in the new one.
type atlas struct {
	learned track // what counts first
	pieces  track
}

// newAtlas returns the atlas of the pieces of a control part between two spaces.
func newAtlas(c *control, from, to *space) atlas {
	pieces := append(make([]piece, 0, len(c.pieces)+maxSegments), c.pieces...)
	return atlas{newTrack(c.learned), newTrack(flat(append(pieces, zeroes(from, to)...)))}
}

// zeroes returns pieces for memory that files do not hold: that of a segment is in the segment of the same number.
func zeroes(from, to *space) []piece {
	if len(from.segments) != len(to.segments) {
		return nil
	}
	var pieces []piece
	old, fresh := from.size, to.size
	for i, g := range from.segments {
		h := to.segments[i]
		if n := g.inMemory - g.inFile; n > 0 {
			pieces = append(pieces, piece{old, fresh, n})
		}
		old, fresh = old+g.inMemory-g.inFile, fresh+h.inMemory-h.inFile
	}
	return pieces
}

// flat sorts pieces by their old positions and takes them apart. Of two pieces for one position, that which begins
// first counts.
func flat(pieces []piece) []piece {
	slices.SortStableFunc(pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.old, b.old), cmp.Compare(b.n, a.n))
	})
	end, kept := int64(0), pieces[:0]
	for _, p := range pieces {
		if over := end - p.old; over > 0 {
			p = piece{p.old + over, p.new + over, p.n - over}
		}
		if p.n > 0 {
			kept = append(kept, p)
			end = p.old + p.n
		}
	}
	return kept
}

// project returns where a position probably is in the new file. One between two pieces has moved with the nearer.
func (a *atlas) project(pos int64) int64 {
	if i := a.learned.before(pos); i >= 0 {
		if p := &a.learned.pieces[i]; pos < p.old+p.n {
			return pos + p.new - p.old
		}
	}
	pieces := a.pieces.pieces
	if len(pieces) == 0 {
		return pos
	}
	i := a.pieces.before(pos)
	at := &pieces[max(i, 0)]
	if end := at.old + at.n; i >= 0 && i+1 < len(pieces) && pos >= end && pieces[i+1].old-pos < pos-end {
		at = &pieces[i+1]
	}
	return pos + at.new - at.old
}

// A track is pieces in ascending order of their old positions, apart from each other, and an index to find one by its
// position: for each stretch of positions how many pieces begin before it.
type track struct {
	pieces []piece
	first  []int32
	shift  uint // a stretch has 1<<shift positions
}

// maxStretches bounds the memory of the index.
const maxStretches = 16 << 10

func newTrack(pieces []piece) track {
	t := track{pieces: pieces}
	if len(pieces) == 0 {
		return t
	}
	for last := pieces[len(pieces)-1].old; last>>t.shift >= maxStretches; {
		t.shift++
	}
	t.first = make([]int32, pieces[len(pieces)-1].old>>t.shift+1)
	at := int32(0)
	for i := range t.first {
		for pieces[at].old < int64(i)<<t.shift {
			at++
		}
		t.first[i] = at
	}
	return t
}

// before returns the number of the last piece that begins at or before a position, or -1.
func (t *track) before(pos int64) int {
	low, high := 0, len(t.pieces)
	if stretch := pos >> t.shift; stretch < int64(len(t.first)) {
		if pos < 0 {
			return -1
		}
		low = int(t.first[stretch])
		if stretch+1 < int64(len(t.first)) {
			high = int(t.first[stretch+1])
		}
	} else {
		low = high
	}
	for low < high {
		if middle := int(uint(low+high) >> 1); t.pieces[middle].old < pos {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(t.pieces) && t.pieces[low].old == pos {
		return low
	}
	return low - 1
}
