package kit

import (
	"fmt"
	"math/rand/v2"
	"testing"
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

// A Moment is when a fault comes: at the nth event of some kind, and a while later. Events decide about faults, not the
// clock: the delay is the part of which only the machine knows the effect.
type Moment struct {
	Event string
	N     int // which one it is, from 1
	Delay time.Duration
}

func (m Moment) String() string {
	return fmt.Sprintf("%s %d + %s", m.Event, m.N, m.Delay.Round(time.Microsecond))
}

// Await waits until the moment has come or all is over, and then for the delay. It reports whether the moment came.
// seen tells, for each kind of event, whether the nth one has been seen; one that it does not know never comes.
func (m Moment) Await(seen map[string]func(n int) bool, over func() bool) bool {
	look := seen[m.Event]
	came, ended := false, false
	for !came && !ended {
		ended = over() // before the look, so that what came last is seen
		if came = look != nil && look(m.N); !came && !ended {
			time.Sleep(LookPause / 4)
		}
	}
	time.Sleep(m.Delay)
	return came
}

// Within polls until so returns true, at most for bound.
func Within(bound time.Duration, what string, so func() bool) error {
	deadline := time.After(bound)
	look := time.NewTicker(LookPause)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-deadline:
			return fmt.Errorf("timed out after %s waiting for %s", bound, what)
		}
	}
	return nil
}

// Must ends a test if a harness itself fails. What it finds wrong with a system is an error or a list of them instead.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
