package guard

import "time"

// A test of what ends a wait makes that one wait short, and leaves the others as they are.

// HurryGreet is Greet with a wait this long.
func HurryGreet(d time.Duration) Option { return func(g *Guard) { g.patience.greet = d } }

// HurryFrame is how long a message may take.
func HurryFrame(d time.Duration) Option { return func(g *Guard) { g.patience.frame = d } }

// HurryWrite is how long a message may be left unread.
func HurryWrite(d time.Duration) Option { return func(g *Guard) { g.patience.write = d } }

// HurryStall is how long a peer may stay at a bound.
func HurryStall(d time.Duration) Option { return func(g *Guard) { g.patience.stall = d } }
