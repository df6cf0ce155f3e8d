package world_test

import (
	"sync/atomic"
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/updatestest"
)

// TestARetryIsNotForgotten kills updated when it is asked to count the second attempt. The verdict on the first attempt
// is in the record, so the second takes place whichever instance reads it.
func TestARetryIsNotForgotten(t *testing.T) {
	w := world.New(t)
	var failed, killed atomic.Bool
	w.Listen(func(m world.Message) (deliver bool) {
		if m.Facet != "HealthGate" || m.What != "call" {
			return true
		}
		switch m.Method {
		case healthFailed:
			failed.Store(true)
		case bootAttempt:
			if failed.Load() && killed.CompareAndSwap(false, true) {
				w.End("updated")
				return false
			}
		}
		return true
	})
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	o := w.Operator()
	staged, err := o.Stage(set(t, "1.1.0", "exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	// The answer may be lost with updated, because the set fails at once.
	if err := o.Switch(staged); err != nil && !killed.Load() {
		t.Fatal(err)
	}
	s := o.AwaitState("the rollback", 100*time.Millisecond, rolledBack)
	if s.Active != bootctl.A || s.Quarantine != 1 || !killed.Load() {
		t.Errorf("got %+v, killed %t", s, killed.Load())
	}
}

// Methods of HealthGate (schema/update.capnp) that the test uses.
const (
	bootAttempt  = 0
	healthFailed = 2
)
