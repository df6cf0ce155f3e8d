package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"sync"
	"time"
)

// A leafHasher appends the SHA-256 of each block of BlockSize bytes in data, whose length is a multiple of that. Which
// one is used affects only the speed.
type leafHasher func(to []byte, data []byte) []byte

// fastestLeaves is the fastest one on this CPU. To find it takes less than a millisecond.
var fastestLeaves = sync.OnceValue(func() leafHasher {
	best, shortest := leafHasher(nil), time.Duration(math.MaxInt64)
	data := make([]byte, 2*laneWidth*BlockSize)
	to := make([]byte, 0, 2*laneWidth*sha256.Size)
	for _, h := range leafHashers() {
		h(to, data)
		for range 3 {
			begin := time.Now()
			h(to, data)
			if took := time.Since(begin); took < shortest {
				best, shortest = h, took
			}
		}
	}
	return best
})

// leafHashers are those that this CPU supports.
func leafHashers() []leafHasher {
	all := []leafHasher{hashEach}
	if hasLanes() {
		all = append(all, hashLanes)
	}
	return all
}

// hashEach hashes block by block with the standard library.
func hashEach(to, data []byte) []byte {
	for ; len(data) > 0; data = data[BlockSize:] {
		sum := sha256.Sum256(data[:BlockSize])
		to = append(to, sum[:]...)
	}
	return to
}

// hashLanes hashes sixteen blocks at a time.
func hashLanes(to, data []byte) []byte {
	const row = laneWidth * BlockSize
	k, end := roundConstants(), leafEnd()
	var ends [laneWidth]*byte
	for i := range ends {
		ends[i] = &end[0]
	}
	for ; len(data) >= row; data = data[row:] {
		var state [8][laneWidth]uint32
		var messages [laneWidth]*byte
		for i := range laneWidth {
			messages[i] = &data[i*BlockSize]
			for w, word := range initial() {
				state[w][i] = word
			}
		}
		blocks16(&state, &messages, k, BlockSize/sha256.BlockSize)
		blocks16(&state, &ends, k, 1)
		for i := range laneWidth {
			for w := range state {
				to = binary.BigEndian.AppendUint32(to, state[w][i])
			}
		}
	}
	return hashEach(to, data)
}

// leafEnd is how SHA-256 pads a message of BlockSize bytes (FIPS 180-4, 5.1.1).
func leafEnd() *[sha256.BlockSize]byte {
	end := &[sha256.BlockSize]byte{0x80}
	binary.BigEndian.PutUint64(end[sha256.BlockSize-8:], 8*BlockSize)
	return end
}
