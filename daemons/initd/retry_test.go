package initd

import (
	"slices"
	"testing"
	"time"
)

// What keeps failing is tried less and less often, and soon again once it has held.
func TestRetriesSlowDown(t *testing.T) {
	clock := &tickingClock{}
	r := newRetry(clock)
	var pauses []time.Duration
	for i := range 10 {
		if i == 9 {
			clock.now = clock.now.Add(time.Minute)
		}
		if !r.rest(t.Context()) {
			t.Fatal("there is no other try")
		}
		pauses = append(pauses, r.pause/time.Millisecond)
	}
	if want := []time.Duration{50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 50}; !slices.Equal(pauses, want) {
		t.Errorf("the pauses are %d ms, want %d", pauses, want)
	}
}
