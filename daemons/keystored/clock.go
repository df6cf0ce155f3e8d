package keystored

import (
	"context"
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/roots"
	"nexus/packaging/release"
)

// clockOf is what this device can say about the time besides what it has seen signed.
func clockOf(clock plat.Clock) func() roots.Clock {
	return func() roots.Clock {
		return roots.Clock{Wall: millis(clock.Now()), Built: millis(release.Built())}
	}
}

// millis is a time in milliseconds since 1970; earlier ones are 0.
func millis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// attestEvery is how far the clock may run ahead of the stored time, and how often it is looked at.
const attestEvery = time.Hour

// attest counts the time on the clock as seen, so that a clock that falls back makes nothing valid again that had
// expired. The caller holds changing. A clock that is wrong for a moment at the start attests nothing: it is looked at
// before each decision, and once every attestEvery.
func (k *keys) attest() error {
	now := k.now.Load()
	if now.root == nil {
		return nil
	}
	state := now.root.Saw(now.root.Now(k.clock()))
	if state.Seen-now.root.Seen < uint64(attestEvery.Milliseconds()) {
		return nil
	}
	return k.keep(state)
}

// watchClock attests the time until ctx ends.
func (k *keys) watchClock(ctx context.Context, clock plat.Clock) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.After(attestEvery):
		}
		k.changing.Lock()
		if err := k.attest(); err != nil {
			k.log.Warn("cannot store time", "error", err)
		}
		k.changing.Unlock()
	}
}
