package delta

import (
	"slices"
	"testing"
)

// The index of a track finds what a search through all pieces finds.
func TestTrack(t *testing.T) {
	r := dice(7)
	for range 200 {
		var pieces []piece
		end, most := int64(0), int64(1)<<r.IntN(40)
		for range r.IntN(300) {
			p := piece{old: end + r.Int64N(most), n: r.Int64N(3) * r.Int64N(most)}
			end = p.old + p.n
			pieces = append(pieces, p)
		}
		track := newTrack(pieces)
		if len(track.first) > maxStretches {
			t.Fatalf("%d stretches", len(track.first))
		}
		for range 300 {
			pos := r.Int64N(end+2*most) - 1
			if len(pieces) > 0 && r.IntN(2) == 0 {
				pos = pieces[r.IntN(len(pieces))].old + r.Int64N(3) - 1
			}
			want, found := slices.BinarySearchFunc(pieces, pos,
				func(p piece, pos int64) int { return int(min(max(p.old-pos, -1), 1)) })
			if !found {
				want--
			}
			if got := track.before(pos); got != want {
				t.Fatalf("%d is after piece %d of %d, want %d", pos, got, len(pieces), want)
			}
		}
	}
}
