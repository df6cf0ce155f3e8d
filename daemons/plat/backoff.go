package plat

import "time"

// A Backoff is how long to wait before something that ended is begun again. The pause doubles from one end to the next,
// and is short again once the thing has held for a while.
type Backoff struct {
	First, Max time.Duration
	Good       time.Duration // having held for longer than this, it starts afresh
}

// Next is the pause after the last one, 0 for none, given how long the thing held since.
func (b Backoff) Next(last, held time.Duration) time.Duration {
	if last == 0 || held > b.Good {
		return b.First
	}
	return min(2*last, b.Max)
}
