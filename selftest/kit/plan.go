package kit

import (
	"math/rand/v2"
	"time"
)

// Draw draws one of the values, each as often as its weight says, relative to the others.
func Draw[T any](r *rand.Rand, weights []int, values ...T) T {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	at := r.IntN(sum)
	for i, w := range weights {
		if at < w {
			return values[i]
		}
		at -= w
	}
	panic("unreachable: the weights sum up to more than was drawn")
}

// Await waits until the moment has come or all is over, and then for the delay. It reports whether the moment came.
// Events decide about faults, not the clock: the delay is the part of which only the machine knows the effect.
func Await(seen, over func() bool, delay time.Duration) bool {
	came, ended := false, false
	for !came && !ended {
		ended = over() // before the look, so that what came last is seen
		if came = seen(); !came && !ended {
			time.Sleep(LookPause / 4)
		}
	}
	time.Sleep(delay)
	return came
}
