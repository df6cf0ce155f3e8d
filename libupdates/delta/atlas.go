package delta

import (
	"cmp"
	"math"
	"slices"
)

// A piece says that n positions from old on are in the new file from new on.
type piece struct{ old, new, n int64 }

// An atlas says where the positions of the old file probably are in the new one: moves in ascending order, and an index
// of them. For each stretch of positions it has how many moves begin before it.
type atlas struct {
	moves []move
	first []int32
	shift uint // a stretch has 1<<shift positions
}

// A move says how far positions have moved, from one on to the next move.
type move struct{ from, way int64 }

// newAtlas returns the atlas of the pieces of a control part between two spaces. What was learned comes first.
func newAtlas(c *control, from, to *space) atlas {
	pieces := append(make([]piece, 0, len(c.pieces)+maxSegments), c.pieces...)
	base := moved(flat(append(pieces, zeroes(from, to)...)))
	all, at := make([]move, 0, len(base)+2*len(c.learned)), 0
	for _, p := range c.learned {
		if p.n == 0 {
			continue
		}
		for ; at < len(base) && base[at].from <= p.old; at++ {
			all = appendMove(all, base[at])
		}
		all = appendMove(all, move{p.old, p.new - p.old})
		for ; at < len(base) && base[at].from < p.old+p.n; at++ {
		}
		all = appendMove(all, move{p.old + p.n, base[at-1].way})
	}
	for _, s := range base[at:] {
		all = appendMove(all, s)
	}
	return indexed(all)
}

// moved returns the moves of pieces. What is between two of them moves with the nearer.
func moved(pieces []piece) []move {
	moves, end := []move{{from: math.MinInt64}}, int64(math.MinInt64)
	for _, p := range pieces {
		from := p.old
		switch {
		case end == math.MinInt64:
			from = end
		case from > end:
			from = (from+end)/2 + 1
		}
		moves = appendMove(moves, move{from, p.new - p.old})
		end = p.old + p.n
	}
	return moves
}

// appendMove appends a move that replaces one from the same position.
func appendMove(moves []move, s move) []move {
	last := len(moves) - 1
	if last >= 0 && moves[last].from == s.from {
		moves, last = moves[:last], last-1
	}
	if last >= 0 && moves[last].way == s.way {
		return moves
	}
	return append(moves, s)
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

// maxStretches bounds the memory of the index.
const maxStretches = 16 << 10

func indexed(moves []move) atlas {
	a := atlas{moves: moves}
	last := max(0, moves[len(moves)-1].from)
	for last>>a.shift >= maxStretches {
		a.shift++
	}
	a.first = make([]int32, last>>a.shift+2)
	at := 0
	for i := range a.first {
		for at < len(moves) && moves[at].from < int64(i)<<a.shift {
			at++
		}
		a.first[i] = int32(at)
	}
	return a
}

// project returns where a position probably is in the new file.
func (a *atlas) project(pos int64) int64 {
	stretch := min(uint64(max(0, pos))>>a.shift, uint64(len(a.first)-2))
	low, high := a.first[stretch], a.first[stretch+1]
	for low < high { // the first move beyond the position
		if middle := (low + high) / 2; a.moves[middle].from <= pos {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return pos + a.moves[max(low, 1)-1].way
}
