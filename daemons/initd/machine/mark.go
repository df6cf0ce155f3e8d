package machine

import (
	"time"

	"nexus/libupdates/bootctl"
)

// A mark is what the first process writes into memory that survives a reset but not a loss of power: that it runs, and
// when it last made progress. From it the next boot infers why this one ended. That is a guess, for people: no step of
// an update depends on it.
type mark struct {
	state   markState
	petted  time.Time     // when the system last made progress
	timeout time.Duration // of the watchdog; 0: there is none
}

type markState uint64

const (
	markRuns  markState = iota + 1 // the system runs
	markHangs                      // it makes no progress: the watchdog is about to reset the machine
	markEnds                       // it went down in order, to restart
)

// memory holds a mark, word by word.
type memory interface {
	Load(n int) uint64
	Store(n int, word uint64)
}

// The layout: two copies, written alternately, so that one is always whole. Each has the magic, a counter that shows
// which is newer, the mark's three values, and a checksum over all of these.
const (
	markMagic = 0x31_6b_72_61_6d_78_6e_2e // ".nxmark1" as bytes
	markWords = 6
	markCopy  = 8 // words from one copy to the other
)

// markSum is FNV-1a over words. A partly written copy, or noise after power-on, does not match it.
func markSum(words []uint64) uint64 {
	sum := uint64(0xcbf29ce484222325)
	for _, w := range words {
		for range 8 {
			sum = (sum ^ w&0xff) * 0x100000001b3
			w >>= 8
		}
	}
	return sum
}

// readMark returns the newest whole mark and its counter; 0: there is none.
func readMark(from memory) (newest mark, count uint64) {
	for at := range 2 {
		var words [markWords]uint64
		for i := range words {
			words[i] = from.Load(at*markCopy + i)
		}
		if words[0] != markMagic || words[5] != markSum(words[:5]) || words[1] <= count {
			continue
		}
		count = words[1]
		newest = mark{markState(words[2]), time.Unix(0, int64(words[3])), time.Duration(words[4])}
	}
	return newest, count
}

// writeMark writes a mark over the older copy.
func writeMark(to memory, m mark, count uint64) {
	words := [markWords]uint64{markMagic, count, uint64(m.state), uint64(m.petted.UnixNano()), uint64(m.timeout)}
	words[5] = markSum(words[:5])
	for i, word := range words {
		to.Store(int(count%2)*markCopy+i, word)
	}
}

// wipeMark clears both copies.
func wipeMark(of memory) {
	for i := range 2 * markCopy {
		of.Store(i, 0)
	}
}

// cause returns why a boot began, given the previous boot's mark, if there is one, and when the kernel started.
func (m mark) cause(found bool, began time.Time) bootctl.Cause {
	switch {
	case !found:
		return bootctl.Power
	case m.state == markEnds:
		return bootctl.Commanded
	case m.state == markHangs, m.timeout > 0 && began.Sub(m.petted) >= m.timeout:
		return bootctl.Watchdog
	default:
		return bootctl.Crash
	}
}
