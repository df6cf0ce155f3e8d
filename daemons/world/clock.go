package world

import (
	"sync"
	"time"
)

// A Clock stands still until it is wound. It starts at an arbitrary fixed time.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []wait
}

type wait struct {
	until time.Time
	fire  chan time.Time
}

// NewClock returns a clock at a fixed time.
func NewClock() *Clock { return &Clock{now: time.Unix(1_700_000_000, 0)} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// After returns a channel that receives once the clock has been wound by d.
func (c *Clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	fire := make(chan time.Time, 1)
	if d <= 0 {
		fire <- c.now
		return fire
	}
	c.waits = append(c.waits, wait{c.now.Add(d), fire})
	return fire
}

// Wind advances the clock by d and fires the timers that expire.
func (c *Clock) Wind(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	var still []wait
	for _, w := range c.waits {
		if w.until.After(c.now) {
			still = append(still, w)
			continue
		}
		w.fire <- c.now
	}
	c.waits = still
}
