package digest

import "crypto/sha256"

// A hasher digests pieces of streams. Which one it is never shows in a digest, only in the time it takes.
type hasher interface {
	// streams is how many streams keep it busy.
	streams() int
	// sum digests the pieces of one stream and releases each. It is called for streams() streams at a time.
	sum(pieces <-chan *piece) Sum
	// close ends it, when no sum runs any more.
	close()
}

// chooseHasher takes what is fastest for so many streams on so many cores.
func chooseHasher(_, cores int) hasher { return serial{cores} }

// serial digests each stream by itself, with the standard library, which uses the SHA instructions of CPUs that have them.
type serial struct{ cores int }

// streams is two for each core: while one waits for a disk, another is digested.
func (s serial) streams() int { return min(2*s.cores, maxStreams) }

func (serial) sum(pieces <-chan *piece) Sum {
	h := sha256.New()
	for p := range pieces {
		h.Write(p.bytes)
		p.release()
	}
	return Sum(h.Sum(nil))
}

func (serial) close() {}
