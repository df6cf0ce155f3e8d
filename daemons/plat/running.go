package plat

import (
	"context"
	"time"
)

// Beat is how often running time is measured. At one beat at most maxLap is counted: a process that was stopped, frozen
// or suspended in between finds that next to no time has gone by.
const (
	Beat   = 100 * time.Millisecond
	maxLap = 4 * Beat
)

// A Meter measures the time in which its own process ran. The machine's clock does not: it goes on while a process is
// stopped.
type Meter struct {
	clock Clock
	last  time.Time
}

// NewMeter begins to measure.
func NewMeter(clock Clock) *Meter { return &Meter{clock: clock, last: clock.Now()} }

// Lap is the running time since the last one. Whoever measures takes one each Beat.
func (m *Meter) Lap() time.Duration {
	now := m.clock.Now()
	lap := min(max(now.Sub(m.last), 0), maxLap)
	m.last = now
	return lap
}

// AfterRunning returns a channel that is closed once this process has run for d. It is never closed when ctx ends
// before.
func AfterRunning(ctx context.Context, clock Clock, d time.Duration) <-chan struct{} {
	over := make(chan struct{})
	meter := NewMeter(clock)
	beat := clock.After(min(d, Beat))
	go func() {
		for {
			select {
			case <-beat:
			case <-ctx.Done():
				return
			}
			if d -= meter.Lap(); d <= 0 {
				close(over)
				return
			}
			beat = clock.After(min(d, Beat))
		}
	}()
	return over
}
