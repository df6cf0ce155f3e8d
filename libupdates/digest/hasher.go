package digest

import "crypto/sha256"

// A hasher digests pieces of streams. Which one it is never shows in a digest, only in the time it takes.
type hasher interface {
	// streams is how many streams in flight keep it busy.
	streams() int
	// seats makes a place for each of so many streams in flight, at most streams(). Each must be left at the end.
	seats(n int) []seat
}

// A seat digests one stream after the other.
type seat interface {
	// sum digests the pieces of a stream and releases each.
	sum(pieces <-chan *piece) Sum
	// leave says that there will be no other stream.
	leave()
}

// chooseHasher takes what is fastest for so many streams on so many cores.
func chooseHasher(streams, cores int) hasher {
	if hasLanes() && streams >= laneWidth/4 {
		l := lanes{groups: min(cores, maxStreams/laneWidth), worth: measureLanes()}
		if l.faster(streams, cores) {
			return l
		}
	}
	return serial{cores}
}

// serial digests each stream by itself, with the standard library, which uses the SHA instructions of CPUs that have
// them.
type serial struct{ cores int }

// streams is two for each core: while one waits for a disk, another is digested.
func (s serial) streams() int { return min(2*s.cores, maxStreams) }

func (serial) seats(n int) []seat {
	all := make([]seat, n)
	for i := range all {
		all[i] = serialSeat{}
	}
	return all
}

type serialSeat struct{}

func (serialSeat) sum(pieces <-chan *piece) Sum {
	h := sha256.New()
	for p := range pieces {
		h.Write(p.bytes)
		p.release()
	}
	return Sum(h.Sum(nil))
}

func (serialSeat) leave() {}
