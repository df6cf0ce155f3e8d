package plat

import "time"

// A Clock tells the time and waits. Daemons never ask the time package, so that tests can decide what time it is.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// RealClock is the machine's clock.
type RealClock struct{}

// Now returns the current time.
func (RealClock) Now() time.Time { return time.Now() }

// After returns a channel that receives once d has passed.
func (RealClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
