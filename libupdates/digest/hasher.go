package digest

import "crypto/sha256"

// A hasher hashes pieces of streams. The choice of hasher affects only the speed, never a digest.
type hasher interface {
	// streams is the number of streams in flight that keep it busy.
	streams() int
	// seats returns n seats, one for each stream in flight; n is at most streams(). Each seat must be left at the end.
	seats(n int) []seat
}

// A seat hashes one stream after the other.
type seat interface {
	// sum hashes the pieces of a stream and releases each.
	sum(pieces <-chan *piece) Sum
	// leave ends the use of the seat.
	leave()
}

// chooseHasher returns the fastest hasher for that many streams and cores.
func chooseHasher(streams, cores int) hasher {
	if hasLanes() && streams >= laneWidth/4 {
		l := lanes{groups: min(cores, maxStreams/laneWidth), worth: measureLanes()}
		if l.faster(streams, cores) {
			return l
		}
	}
	return serial{cores}
}

// serial hashes each stream by itself with the standard library, which uses the SHA instructions of the CPU if it has
// them.
type serial struct{ cores int }

// streams returns two per core: one is hashed while the other waits for the disk.
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
