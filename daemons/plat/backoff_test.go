package plat_test

import (
	"slices"
	"testing"
	"time"

	"nexus/daemons/plat"
)

func TestBackoff(t *testing.T) {
	b := plat.Backoff{First: time.Second, Max: 5 * time.Second, Good: time.Minute}
	var pauses []time.Duration
	last := time.Duration(0)
	for _, held := range []time.Duration{0, 0, time.Minute, 0, time.Minute + 1, 0} {
		last = b.Next(last, held)
		pauses = append(pauses, last/time.Second)
	}
	if want := []time.Duration{1, 2, 4, 5, 1, 2}; !slices.Equal(pauses, want) {
		t.Errorf("pauses %v, want %v", pauses, want)
	}
}
