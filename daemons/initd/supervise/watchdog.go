package supervise

import (
	"errors"
	"time"

	"nexus/daemons/plat"
)

// errHung is how an instance ended that did not answer any more.
var errHung = errors.New("hung: it gave no sign of life, and was killed")

// errStuffed is how an instance ended that took nothing from its endowment channel, while others were restarted and
// linked with it.
var errStuffed = errors.New("stuffed: it did not take what it was granted, and was killed")

// questions is how many in a row a daemon leaves without an answer before it counts as hung. They are counted, rather
// than the time since its last answer, so that a clock that jumps, because the machine was suspended, condemns nobody.
const questions = 4

// A watchdog decides when one instance of a daemon is asked whether it is alive, and when it has not answered for too
// long. It asks nobody and kills nobody.
type watchdog struct {
	clock plat.Clock
	every time.Duration
	due   <-chan time.Time // when to ask hung; nil when nobody watches
	asked int              // questions since the last answer
}

// newWatchdog has a daemon count as hung when it has not answered for about that long; 0: never.
func newWatchdog(clock plat.Clock, patience time.Duration) *watchdog {
	w := &watchdog{clock: clock, every: patience / questions}
	if patience > 0 {
		w.due = clock.After(w.every)
	}
	return w
}

// hung tells, whenever it is due, whether the daemon is to be given up. If not, it is to be asked again now.
func (w *watchdog) hung() bool {
	if w.asked >= questions {
		return true
	}
	w.asked++
	w.due = w.clock.After(w.every)
	return false
}

// answered takes an answer, which is one to all that was asked before.
func (w *watchdog) answered() { w.asked = 0 }
