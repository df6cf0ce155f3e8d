package guard

import "time"

// Each of these options shortens one timeout for the test of what happens when it expires.

// HurryGreet is Greet with this timeout.
func HurryGreet(d time.Duration) Option { return func(g *Guard) { g.pace.patience.greet = d } }

// HurryFrame sets how long a message may take to arrive.
func HurryFrame(d time.Duration) Option { return func(g *Guard) { g.pace.patience.frame = d } }

// HurryWrite sets how long a message may be left unread.
func HurryWrite(d time.Duration) Option { return func(g *Guard) { g.pace.patience.write = d } }

// HurryStall sets how long a peer may stay at a bound.
func HurryStall(d time.Duration) Option { return func(g *Guard) { g.pace.patience.stall = d } }

// Take takes from a budget at that time.
func (b *Budget) Take(count int, now time.Time) time.Duration { return b.take(count, now) }
