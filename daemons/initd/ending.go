package initd

import (
	"context"
	"errors"
	"os"
	"sync"

	"nexus/daemons/convert"
	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
	"nexus/libupdates/refusal"
)

// ErrNoOrder is the cause with which Boot's context is cancelled where nobody ordered the end: tests cut a system so.
var ErrNoOrder = errors.New("nobody ordered it")

// ErrReboot is how a system ends that is to begin anew.
var ErrReboot = errors.New("a reboot was ordered")

// errGoingOn refuses an order to stop that came too late.
var errGoingOn = refusal.New(refusal.Superseded, "another core takes over: it may be told")

// An outcome is how the system ended.
type outcome struct {
	ordered bool // somebody outside wanted it
	again   bool // it is to begin anew
	failed  bool
	why     string // one line, when it failed
}

// An ending says whether and how the system ends, or goes on under another core.
type ending struct {
	stopping chan struct{} // closed when the system is to be taken down

	mu      sync.Mutex
	decided bool // the system was told to stop, or cannot go on
	outcome outcome
	next    *machine.Handed // what is left to the core that is to take over; nil: none is
	gone    bool            // the next core takes over: no order is taken any more
}

func newEnding() *ending { return &ending{stopping: make(chan struct{})} }

// awaitLock returns once nobody else has the lock.
func (e *ending) awaitLock() {
	e.mu.Lock()
	defer e.mu.Unlock()
}

// stop gives the order to stop. The first outcome counts, and is returned. It is refused once another core is about to
// take over.
func (e *ending) stop(o outcome) (outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.gone:
		return outcome{}, errGoingOn
	case e.decided:
		return e.outcome, nil
	}
	e.decided, e.outcome = true, o
	if e.next == nil {
		close(e.stopping)
	}
	return e.outcome, nil
}

// endBy gives an operator's order to end. A second one of the same kind changes nothing; one of another kind is
// refused, and so is any that comes when another core is about to take over.
func (e *ending) endBy(o outcome) error {
	first, err := e.stop(o)
	if err == nil && first.again != o.again {
		err = refusal.New(refusal.Superseded, "another end was ordered before")
	}
	return convert.Except(err)
}

// ordered reports whether somebody outside ordered the end: an operator, or whoever sent a signal to the first process.
func (e *ending) ordered(ctx context.Context) bool {
	if ctx.Err() != nil {
		return !errors.Is(context.Cause(ctx), ErrNoOrder)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.outcome.ordered
}

// result is how the system ended. Whoever ended ctx wanted it down for good, whatever was ordered before.
func (e *ending) result(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.outcome.failed:
		return errors.New(e.outcome.why)
	case e.outcome.again && ctx.Err() == nil:
		return ErrReboot
	default:
		return nil
	}
}

// succeed gives the order to take the system down for a core to take over.
func (e *ending) succeed(next *machine.Handed) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.decided {
		next.Close()
		return
	}
	e.next = next
	close(e.stopping)
}

// handing reports whether a core is to take over.
func (e *ending) handing() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.next != nil
}

// successor is what is left to the next core, with the files that outlast this one; nil when the system is to end. From
// then on no order to stop is taken.
func (e *ending) successor(ctx context.Context, keep map[string]*os.File) (*machine.Handed, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.next == nil || e.decided || ctx.Err() != nil {
		return nil, nil
	}
	e.gone = true
	for name, file := range keep {
		kept, err := plat.Duplicate(file)
		if err != nil {
			return nil, err
		}
		e.next.Files[name] = kept
	}
	return e.next, nil
}
