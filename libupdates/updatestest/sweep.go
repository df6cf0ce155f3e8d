package updatestest

import (
	"iter"
	"testing"
)

// Sweep goes through all numbers below n, or with -short through a tenth of them: the race detector makes a sweep over
// one goroutine's work ten times slower, and finds nothing in the rest of it.
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
