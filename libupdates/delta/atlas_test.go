package delta

import "testing"

// An atlas says of each position what the pieces and what was learned say of it.
func TestAtlas(t *testing.T) {
	r := dice(7)
	for range 300 {
		most := int64(1) << r.IntN(40)
		row := func() (pieces []piece, end int64) {
			for range r.IntN(200) {
				p := piece{end + r.Int64N(most)*r.Int64N(2), r.Int64N(4 * most), r.Int64N(3) * r.Int64N(most)}
				end = p.old + p.n
				pieces = append(pieces, p)
			}
			return pieces, end
		}
		var c control
		var last [2]int64
		c.pieces, last[0] = row()
		c.learned, last[1] = row()
		a := newAtlas(&c, &space{}, &space{})
		if len(a.first) > maxStretches+1 || len(a.moves) > len(c.pieces)+2*len(c.learned)+1 {
			t.Fatalf("%d stretches, %d moves of %d and %d pieces", len(a.first), len(a.moves), len(c.pieces),
				len(c.learned))
		}
		for range 300 {
			pos := r.Int64N(max(last[0], last[1])+2*most) - 1
			if near := [][]piece{c.pieces, c.learned}[r.IntN(2)]; len(near) > 0 {
				p := near[r.IntN(len(near))]
				pos = p.old + p.n*r.Int64N(2) + r.Int64N(3) - 1
			}
			if got, want := a.project(pos), projected(&c, pos); got != want {
				t.Fatalf("%d is projected to %d, want %d", pos, got, want)
			}
		}
	}
}

// projected returns where a position is in the new file, by going through all pieces.
func projected(c *control, pos int64) int64 {
	for _, p := range c.learned {
		if pos >= p.old && pos < p.old+p.n {
			return pos + p.new - p.old
		}
	}
	way, nearest := int64(0), int64(-1)
	for _, p := range c.pieces {
		distance := max(p.old-pos, pos-(p.old+p.n), 0)
		if p.n > 0 && (nearest < 0 || distance < nearest || distance == 0) {
			way, nearest = p.new-p.old, distance
		}
	}
	return pos + way
}
