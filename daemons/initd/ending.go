package initd

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
	"nexus/libupdates/refusal"
)

// ErrNoOrder is the cause with which Boot's context is cancelled if nobody ordered the end. Tests cut a system this
// way.
var ErrNoOrder = errors.New("nobody ordered it")

// ErrReboot says that the system ended in order to start again.
var ErrReboot = errors.New("a reboot was ordered")

// errGoingOn refuses an order to stop that came too late.
var errGoingOn = refusal.New(refusal.Superseded, "another core takes over: it may be told")

// An outcome is how the system ended.
type outcome struct {
	ordered bool // somebody outside wanted it
	again   bool // the system is to start again
	failed  bool
	why     string // one line, when it failed
}

// An ending says whether and how the system ends, or goes on under another core.
type ending struct {
	stopping chan struct{} // closed when the system is to be taken down

	mu      sync.Mutex
	decided bool // the system has been told to stop, or cannot go on
	outcome outcome
	next    *machine.Handed // what the next core inherits; nil: there is no next core
	gone    bool            // the next core takes over: orders are refused
}

func newEnding() *ending { return &ending{stopping: make(chan struct{})} }

// awaitLock returns once nobody else has the lock.
func (e *ending) awaitLock() {
	e.mu.Lock()
	defer e.mu.Unlock()
}

// stop orders the end. The first outcome counts, and is returned. It is refused once another core is about to take
// over.
func (e *ending) stop(o outcome) (outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.decide(o)
}

// decide is stop with the lock held.
func (e *ending) decide(o outcome) (outcome, error) {
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

// endBy carries out an operator's order to end. The same order again changes nothing; a different one is refused, as is
// any order once another core is about to take over. The order is recorded before the end goes on.
func (e *ending) endBy(o outcome, record func(error)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	first, err := e.decide(o)
	if err == nil && first.again != o.again {
		err = refusal.New(refusal.Superseded, "another end was ordered before")
	}
	record(err)
	return convert.Except(err)
}

// ordered reports whether the end was ordered from outside: by an operator, or by a signal to the first process.
func (e *ending) ordered(ctx context.Context) bool {
	if ctx.Err() != nil {
		return !errors.Is(context.Cause(ctx), ErrNoOrder)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.outcome.ordered
}

// result returns how the system ended. If ctx ended, the system stays down, whatever was ordered before.
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

// succeed orders the end, so that another core can take over.
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

// successor returns what the next core inherits, with the files that stay open; nil if the system is to end. From then
// on orders to stop are refused.
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

// orderPatience is how long an ordered end waits for updated to record it. After that the system goes down anyway.
const orderPatience = 5 * time.Second

// orderEnd has the end recorded in the boot record, durably, so that the next boot is a commanded one and the attempt
// that ends with this boot costs no try. Without a state folder no next boot could read it.
func (s *system) orderEnd() {
	if s.config.State == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	err := s.holdings["HealthGate"].Call(ctx, func(client capnp.Client) error {
		answer, release := update.HealthGate(client).BootEnds(ctx, nil)
		defer release()
		_, err := answer.Struct()
		return err
	})
	if err != nil {
		s.log.Warn("cannot record that the end was ordered", "error", err)
	}
}
