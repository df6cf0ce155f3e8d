package digest

import (
	"crypto/sha256"
	"testing"
)

// Each of the sixteen lanes gives the digest of the standard library for its own message.
func TestBlocks16(t *testing.T) {
	if !hasLanes() {
		t.Skip("this CPU has no AVX-512")
	}
	for _, blocks := range []int{1, 2, 3, 17, 100} {
		var state [8][16]uint32
		var messages [16]*byte
		var all [16][]byte
		for lane := range 16 {
			all[lane] = newSource(uint64(lane+blocks), blocks*64).data
			messages[lane] = &all[lane][0]
			for i, w := range initial() {
				state[i][lane] = w
			}
		}
		blocks16(&state, &messages, roundConstants(), blocks)
		for lane := range 16 {
			var words [8]uint32
			for i := range words {
				words[i] = state[i][lane]
			}
			if got, want := Sum(resume(words, uint64(blocks*64)).Sum(nil)), sha256.Sum256(all[lane]); got != want {
				t.Errorf("%d blocks, lane %d: got %x, want %x", blocks, lane, got, want)
			}
		}
	}
}

func BenchmarkBlocks16(b *testing.B) {
	if !hasLanes() {
		b.Skip("this CPU has no AVX-512")
	}
	var state [8][16]uint32
	var messages [16]*byte
	data := make([]byte, 16<<16)
	for lane := range messages {
		messages[lane] = &data[lane<<16]
	}
	b.SetBytes(int64(len(data)))
	k := roundConstants()
	for b.Loop() {
		blocks16(&state, &messages, k, 1<<10)
	}
}
