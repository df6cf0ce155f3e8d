package plat

import "time"

// A Backoff says how long to wait before something that ended is started again. The pause doubles each time, and goes
// back to the first one after a good run.
type Backoff struct {
	First, Max time.Duration
	Good       time.Duration // a run longer than this resets the pause
}

// Next returns the pause that follows last, which is 0 for none, after a run of that length.
func (b Backoff) Next(last, held time.Duration) time.Duration {
	if last == 0 || held > b.Good {
		return b.First
	}
	return min(2*last, b.Max)
}
