package delta

import (
	"encoding/binary"
	"math/bits"
)

// An index finds where bytes occur in a file. It knows every step-th position.
type index struct {
	file []byte
	last []int32 // the last position of each hash, in steps, plus one
	next []int32 // the position before with the same hash, likewise
	bits uint
}

// Bounds of the search for a match.
const (
	seed    = 8  // bytes that are hashed
	step    = 6  // a match of seed+step-1 bytes has a position that is known
	tries   = 24 // positions that are compared
	plenty  = 48 // a match of so many bytes that goes on from the last one is not compared with others
	surplus = 8  // a match elsewhere must have so many bytes more in common
)

// indexOf returns the index of a file.
func indexOf(file []byte) *index {
	x := &index{file: file, bits: uint(max(8, bits.Len(uint(len(file))/(2*step))))}
	x.last = make([]int32, 1<<x.bits)
	x.next = make([]int32, len(file)/step+1)
	for at := 0; at+seed <= len(file); at += step {
		h := x.hash(file[at:])
		x.next[at/step] = x.last[h]
		x.last[h] = int32(at/step + 1)
	}
	return x
}

func (x *index) hash(b []byte) uint64 {
	return binary.LittleEndian.Uint64(b) * 0x9e3779b97f4a7c15 >> (64 - x.bits)
}

// search returns the longest match of the start of b that it finds, and its length. It tries the expected position
// first.
func (x *index) search(b []byte, expected int) (pos, length int) {
	if expected >= 0 && expected < len(x.file) {
		pos, length = expected, common(x.file[expected:], b)
		if length >= plenty {
			return pos, length
		}
	}
	if len(b) < seed {
		return pos, length
	}
	at := x.last[x.hash(b)]
	for range tries {
		if at == 0 {
			break
		}
		candidate := int(at-1) * step
		if n := common(x.file[candidate:], b); n > length && n >= seed {
			pos, length = candidate, n
		}
		at = x.next[at-1]
	}
	return pos, length
}

// common returns how many bytes two texts have in common at their start.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	at := 0
	for ; at+8 <= n; at += 8 {
		x := binary.LittleEndian.Uint64(a[at:]) ^ binary.LittleEndian.Uint64(b[at:])
		if x != 0 {
			return at + bits.TrailingZeros64(x)/8
		}
	}
	for at < n && a[at] == b[at] {
		at++
	}
	return at
}

// match returns pieces of the old file from which the new one can be made, in ascending order in the new file. The
// bytes of a piece need not all be equal. It is the method of Colin Percival's bsdiff, with hashes instead of a
// suffix array.
func match(x *index, after []byte) []piece {
	before := x.file
	var pieces []piece
	var scan, pos, length int         // a match of length bytes at scan in the new file, at pos in the old one
	var lastScan, lastPos, offset int // where the last piece began, and how far apart it is in the two files
	for scan < len(after) {
		score := 0 // of the bytes from scan on, how many the last piece would have right
		scan += length
		end := scan
		for counted := scan; scan < len(after); scan++ {
			pos, length = x.search(after[scan:], scan+offset)
			for ; counted < scan+length; counted++ {
				if at := counted + offset; at >= 0 && at < len(before) && before[at] == after[counted] {
					score++
				}
			}
			if length == score && length != 0 || length > score+surplus {
				break
			}
			if at := scan + offset; at >= 0 && at < len(before) && before[at] == after[scan] {
				score--
			}
		}
		if length == score && scan < len(after) && !broken(before, after, end, scan, offset) {
			continue
		}
		forward, back := fit(before, after, lastPos, lastScan, pos, scan)
		if forward > 0 {
			pieces = append(pieces, piece{int64(lastPos), int64(lastScan), int64(forward)})
		}
		lastScan, lastPos, offset = scan-back, pos-back, pos-scan
	}
	return pieces
}

// gap is over how many wrong bytes between two matches a piece does not reach.
const gap = 1 << 10

// broken reports whether so little of a gap between two matches is right that a piece does not reach over it.
func broken(before, after []byte, from, to, offset int) bool {
	wrong := -gap
	for at := from; at < to; at++ {
		if old := at + offset; old >= 0 && old < len(before) && before[old] == after[at] {
			wrong--
		} else {
			wrong++
		}
	}
	return wrong > 0
}

// fit returns how far the piece at lastScan in the new file goes on, and how far before scan the next one begins, where
// their bytes are at lastPos and before pos in the old file. Where both would have the same bytes, each gets those that
// fit it better.
func fit(before, after []byte, lastPos, lastScan, pos, scan int) (forward, back int) {
	forward = extend(scan-lastScan, func(i int) (bool, bool) {
		return lastPos+i < len(before), lastPos+i < len(before) && before[lastPos+i] == after[lastScan+i]
	})
	if scan < len(after) {
		back = extend(scan-lastScan, func(i int) (bool, bool) {
			return pos-1-i >= 0, pos-1-i >= 0 && before[pos-1-i] == after[scan-1-i]
		})
	}
	if over := lastScan + forward - (scan - back); over > 0 {
		keep := split(before[lastPos+forward-over:], after[lastScan+forward-over:], before[pos-back:],
			after[scan-back:], over)
		forward -= over - keep
		back -= keep
	}
	return forward, back
}

// extend returns up to which of n bytes it is worthwhile to go on, when at least half of them must be right.
func extend(n int, right func(i int) (in, equal bool)) int {
	best, bestScore, hits := 0, 0, 0
	for i := range n {
		in, equal := right(i)
		if !in {
			break
		}
		if equal {
			hits++
		}
		if score := 2*hits - (i + 1); score > bestScore {
			best, bestScore = i+1, score
		}
	}
	return best
}

// split returns how many of n bytes, which two pieces claim, the first of them should keep.
func split(firstOld, firstNew, secondOld, secondNew []byte, n int) int {
	best, bestScore, score := 0, 0, 0
	for i := range n {
		if firstOld[i] == firstNew[i] {
			score++
		}
		if secondOld[i] == secondNew[i] {
			score--
		}
		if score > bestScore {
			best, bestScore = i+1, score
		}
	}
	return best
}
