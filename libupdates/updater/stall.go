package updater

import (
	"context"
	"time"

	"nexus/libupdates/refusal"
)

// What a sender has to do to keep the place of a stage.
const (
	stallPatience = time.Minute      // in each of these
	leastProgress = 256 << 10        // so many bytes have to come, or all that are left
	stageGrace    = 10 * time.Minute // the whole archive may take this
	leastRate     = 16 << 10         // and a second more for so many of its bytes
)

// longest is how long an archive of that size may take to come.
func longest(size int64) time.Duration {
	return stageGrace + time.Duration(size/leastRate)*time.Second
}

// watchStall discards the stage when its sender is too slow: nobody keeps the place for long by sending next to
// nothing.
func (s *Stage) watchStall(ctx context.Context, clock Clock) {
	over := clock.After(longest(s.size))
	for had := int64(0); ; {
		select {
		case <-clock.After(stallPatience):
			now, wanted := s.received.Load(), max(min(leastProgress, s.size-had), 1)
			switch {
			case s.sent():
				return // what remains is our own work
			case s.writing.Load() == 0 && now-had < wanted: // else the sender waits for us
				s.cancel(refusal.New(refusal.Stalled, "%d bytes came in %s, at least %d have to", now-had,
					stallPatience, wanted))
				return
			}
			had = now
		case <-over:
			if !s.sent() {
				s.cancel(refusal.New(refusal.Stalled, "%d of %d bytes came in %s", s.received.Load(), s.size,
					longest(s.size)))
			}
			return
		case <-ctx.Done():
			return
		}
	}
}
