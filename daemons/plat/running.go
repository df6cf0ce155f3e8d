package plat

import (
	"context"
	"time"
)

// Beat is the interval at which running time is measured. A beat counts for at most maxLap, so that hardly any time
// passes for a process while it is stopped, frozen or suspended.
const (
	Beat   = 100 * time.Millisecond
	maxLap = 4 * Beat
)

// A Meter measures how long its own process ran. The machine's clock cannot: it goes on while the process is stopped.
type Meter struct {
	clock Clock
	last  time.Time
}

// NewMeter returns a running Meter.
func NewMeter(clock Clock) *Meter { return &Meter{clock: clock, last: clock.Now()} }

// Lap returns the running time since the last one. It must be called once each Beat.
func (m *Meter) Lap() time.Duration {
	now := m.clock.Now()
	lap := min(max(now.Sub(m.last), 0), maxLap)
	m.last = now
	return lap
}

// AfterRunning returns a channel that is closed once this process has run for d, unless ctx ends before.
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
