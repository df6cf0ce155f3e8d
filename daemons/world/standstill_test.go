package world_test

import (
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// TestStandstillIsNotTheSets suspends the machine for hours during a trial: only the clock advances. Afterwards the set
// still has all of its time.
func TestStandstillIsNotTheSets(t *testing.T) {
	w, o := started(t)
	update(t, o, set(t, "1.1.0", "start 1.1.0"))
	w.Await("bundlemgrd: slot b active", 1)
	for range 3 {
		w.Clock.Wind(time.Hour)
		o.AwaitState("the trial still", 0, func(s world.State) bool {
			return s.Pending == bootctl.B &&
				s.TriesLeft == 1
		})
	}
	began := w.Clock.Now()
	s := o.AwaitState("the deadline", 100*time.Millisecond, rolledBack)
	deadline := health.DefaultPolicy().Deadline
	if took := w.Clock.Now().Sub(began); took < deadline-5*time.Second || s.Rollback != string(refusal.HealthTimeout) {
		t.Errorf("after %v: got %+v", took, s)
	}
}

// TestStandstillIsNoWatch suspends the machine during a watch.
func TestStandstillIsNoWatch(t *testing.T) {
	w, o := started(t)
	update(t, o, set(t, "1.1.0", "serve 1.1.0"))
	o.AwaitState("the watch", 0, watched)
	for range 10 {
		w.Clock.Wind(time.Hour)
		o.AwaitState("the watch still", 0, watched)
	}
	o.AwaitState("the end of the watch", 50*time.Millisecond, func(s world.State) bool {
		return !s.Watched &&
			s.Rollback == ""
	})
}
