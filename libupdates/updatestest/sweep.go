package updatestest

import (
	"iter"
	"testing"
)

// Sweep iterates over all numbers below n, or over a tenth of them with -short: the race detector slows a sweep down
// ten times, and finds nothing more in the rest, because only one goroutine is involved.
func Sweep(n int) iter.Seq[int] {
	step := 1
	if testing.Short() {
		step = 11
	}
	return func(yield func(int) bool) {
		for i := 0; i < n; i += step {
			if !yield(i) {
				return
			}
		}
	}
}
