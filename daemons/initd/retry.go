package initd

import (
	"context"
	"time"

	"nexus/daemons/plat"
)

// backoff are the pauses before a daemon, a link or what has failed is tried again: each is twice the one before, and
// they are short again once it has held for a while.
func backoff() plat.Backoff {
	return plat.Backoff{First: 50 * time.Millisecond, Max: 5 * time.Second, Good: 10 * time.Second}
}

// A retry pauses between tries, so that what keeps failing fills neither the log nor a processor.
type retry struct {
	clock plat.Clock
	began time.Time // the current try
	pause time.Duration
}

func newRetry(clock plat.Clock) *retry { return &retry{clock: clock, began: clock.Now()} }

// rest pauses after a try that failed, and reports whether there is to be another one.
func (r *retry) rest(ctx context.Context) bool {
	r.pause = backoff().Next(r.pause, r.clock.Now().Sub(r.began))
	select {
	case <-r.clock.After(r.pause):
		r.began = r.clock.Now()
		return true
	case <-ctx.Done():
		return false
	}
}
