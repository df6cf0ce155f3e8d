package digest

import "golang.org/x/sys/cpu"

// blocks16 continues sixteen digests by the same number of 64-byte blocks of sixteen messages. blocks is at least 1.
// state[n] holds word n of all digests. It requires hasLanes.
//
//go:noescape
func blocks16(state *[8][16]uint32, messages *[16]*byte, constants *[64]uint32, blocks int)

// hasLanes reports whether this CPU supports blocks16.
func hasLanes() bool { return cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW }
