//go:build !amd64

package digest

// hasLanes returns false: there is no code for this architecture.
func hasLanes() bool { return false }

// blocks16 is never called without hasLanes.
func blocks16(*[8][16]uint32, *[16]*byte, *[64]uint32, int) {}
