package plat

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"time"
)

// A Host is what a daemon may ask of the machine. Tests pass in their own.
type Host struct {
	Clock   Clock
	Spawner Reaper      // nil for a daemon that starts nothing
	Groups  *Delegation // the control groups for bundles, for initd; nil if there are none
}

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

// UntilSignal is a context that the first of these signals ends; the next one ends the process at once. A signal that
// was ignored when the process began stays ignored: that is how nohup(1), and a shell that starts something in the
// background, say that it is to go on.
func UntilSignal(ctx context.Context, signals ...os.Signal) context.Context {
	asked := slices.DeleteFunc(slices.Clone(signals), signal.Ignored)
	if len(asked) == 0 {
		return ctx // to be told of no signal would mean of all
	}
	ctx, stop := signal.NotifyContext(ctx, asked...)
	context.AfterFunc(ctx, stop)
	return ctx
}
