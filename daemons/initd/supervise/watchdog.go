package supervise

import (
	"errors"
	"time"

	"nexus/daemons/plat"
)

// errHung is why an instance was killed that no longer answered pings.
var errHung = errors.New("hung: no heartbeat")

// errUnread is why an instance was killed that did not read its endowment channel, while others were restarted and
// linked with it.
var errUnread = errors.New("hung: endowment channel not read")

// questions is how many pings in a row a daemon leaves unanswered before it counts as hung. They are counted, rather
// than the time since its last answer, so that a jump of the clock, after a suspend, kills nobody.
const questions = 4

// A watchdog decides when to ping one instance of a daemon, and when it has not answered for too long. It neither pings
// nor kills by itself.
type watchdog struct {
	clock plat.Clock
	every time.Duration
	due   <-chan time.Time // when to call hung; nil: there is no watch
	asked int              // pings since the last answer
}

// newWatchdog returns a watchdog for which a daemon is hung after about that long without an answer; 0: never.
func newWatchdog(clock plat.Clock, patience time.Duration) *watchdog {
	w := &watchdog{clock: clock, every: patience / questions}
	if patience > 0 {
		w.due = clock.After(w.every)
	}
	return w
}

// hung is called whenever due fires, and reports whether the daemon is hung. If not, the caller pings it again.
func (w *watchdog) hung() bool {
	if w.asked >= questions {
		return true
	}
	w.asked++
	w.due = w.clock.After(w.every)
	return false
}

// answered records an answer, which counts for all pings before it.
func (w *watchdog) answered() { w.asked = 0 }
