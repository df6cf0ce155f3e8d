package plat_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"nexus/daemons/plat"
)

// A jumpy clock is wound by hand. It has one waiter at a time.
type jumpy struct {
	mu    sync.Mutex
	now   time.Time
	until time.Time
	fire  chan time.Time
	asked chan struct{}
}

func (c *jumpy) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *jumpy) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.fire = c.now.Add(d), make(chan time.Time, 1)
	c.asked <- struct{}{}
	return c.fire
}

// wind moves the clock on once somebody waits for it, and reports whether anybody does.
func (c *jumpy) wind(d time.Duration, over <-chan struct{}) bool {
	select {
	case <-c.asked:
	case <-over:
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	if !c.until.After(c.now) {
		c.fire <- c.now
		return true
	}
	c.asked <- struct{}{}
	return true
}

// TestStandstillIsNoRunningTime has the clock go on by an hour again and again, as it does for a process that was
// stopped.
func TestStandstillIsNoRunningTime(t *testing.T) {
	for _, c := range []struct {
		name  string
		step  time.Duration
		winds int
	}{
		{"it runs", plat.Beat, 10},
		{"it is late", 2 * plat.Beat, 5},
		{"it stands still for an hour each time", time.Hour, 3},
	} {
		clock := &jumpy{now: time.Unix(0, 0), asked: make(chan struct{}, 1)}
		over := plat.AfterRunning(t.Context(), clock, time.Second)
		wound := 0
		for clock.wind(c.step, over) {
			wound++
		}
		if wound != c.winds {
			t.Errorf("%s: over after %d steps, want %d", c.name, wound, c.winds)
		}
	}
}

func TestAfterRunningEndsWithItsContext(t *testing.T) {
	clock := &jumpy{now: time.Unix(0, 0), asked: make(chan struct{}, 2)}
	ctx, cancel := context.WithCancel(t.Context())
	over := plat.AfterRunning(ctx, clock, time.Second)
	cancel()
	select {
	case <-over:
		t.Error("it says that the time has gone by")
	default:
	}
}
