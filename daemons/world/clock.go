package world

import (
	"runtime"
	"slices"
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

// headway bounds how long Wind lets those whose timers expired get under way: nobody may be left to take a timer.
// glance is the pause between two looks whether they have, in which the processor is theirs.
const (
	headway = 5 * time.Millisecond
	glance  = headway / 50
)

// Wind advances the clock by d, fires the timers that expire, and lets those who wait for them get under way: a clock
// that is wound again and again would else outrun the daemons on a busy machine, and whoever is late would look dead.
func (c *Clock) Wind(d time.Duration) {
	fired := c.fire(d)
	runtime.Gosched() // most are waited for, and taken at once
	for deadline := time.Now().Add(headway); time.Now().Before(deadline); time.Sleep(glance) {
		if fired = slices.DeleteFunc(fired, func(f chan time.Time) bool { return len(f) == 0 }); len(fired) == 0 {
			return
		}
	}
}

// fire advances the clock and returns the timers that expire, which have fired.
func (c *Clock) fire(d time.Duration) []chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	var still []wait
	var fired []chan time.Time
	for _, w := range c.waits {
		if w.until.After(c.now) {
			still = append(still, w)
			continue
		}
		w.fire <- c.now
		fired = append(fired, w.fire)
	}
	c.waits = still
	return fired
}
