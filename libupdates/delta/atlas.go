package delta

import (
	"cmp"
	"slices"
)

// A piece says that n positions from old on are in the new file from new on.
type piece struct{ old, new, n int64 }

// An atlas says where the positions of the old file are in the new one.
type atlas struct {
	learned []piece // what counts first, in ascending order of old positions, apart from each other
	pieces  []piece // likewise
}

// newAtlas returns the atlas of the pieces of a control part between two spaces.
func newAtlas(c *control, from, to *space) atlas {
	pieces := append(make([]piece, 0, len(c.pieces)+maxSegments), c.pieces...)
	return atlas{c.learned, flat(append(pieces, zeroes(from, to)...))}
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
	if i := before(a.learned, pos); i >= 0 && pos < a.learned[i].old+a.learned[i].n {
		return pos + a.learned[i].new - a.learned[i].old
	}
	if len(a.pieces) == 0 {
		return pos
	}
	i := before(a.pieces, pos)
	at := a.pieces[max(i, 0)]
	if end := at.old + at.n; i >= 0 && i+1 < len(a.pieces) && pos >= end && a.pieces[i+1].old-pos < pos-end {
		at = a.pieces[i+1]
	}
	return pos + at.new - at.old
}

// before returns the number of the last piece that begins at or before a position, or -1.
func before(pieces []piece, pos int64) int {
	next, found := slices.BinarySearchFunc(pieces, pos, func(p piece, pos int64) int { return cmp.Compare(p.old, pos) })
	if found {
		return next
	}
	return next - 1
}
