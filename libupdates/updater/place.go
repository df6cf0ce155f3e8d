package updater

import (
	"context"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// The place of a stage is the right to change what is staged, which one has at a time. Who has it may lose it: to its
// own slowness (stall.go), or to an operator.

// placePatience is how long a stage waits for the place of another that may be about to end: a sender's connection
// takes a moment to close.
const placePatience = time.Second

// holdOff is how long the place is kept for operators after one of them has staged a set, which is theirs to switch to,
// or has ended a stage.
const holdOff = time.Minute

// begin takes the place for an archive of that size.
func (e *Engine) begin(size int64) error {
	r := e.Record()
	switch {
	case r.Pending != bootctl.None:
		return refusal.New(refusal.TrialInProgress, "slot %s is on trial", r.Pending)
	case size > e.cfg.Limits.Archive:
		return e.tooLarge(uint64(size))
	}
	return e.takePlace()
}

func (e *Engine) tooLarge(size uint64) error {
	return refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", size,
		e.cfg.Limits.Archive)
}

// takePlace takes the place, if nobody has it.
func (e *Engine) takePlace() error {
	e.steps.Lock()
	defer e.steps.Unlock()
	if e.isStaging() {
		return refusal.New(refusal.StageInProgress, "another stage is under way")
	}
	if err := e.settle(); err != nil { // a start must not go by a record that has on trial what was staged before
		return err
	}
	e.mu.Lock()
	e.free = make(chan struct{})
	e.mu.Unlock()
	e.cfg.Changed()
	return nil
}

// end gives the place back.
func (e *Engine) end() {
	e.mu.Lock()
	close(e.free)
	e.free = nil
	e.mu.Unlock()
	e.cfg.Changed()
}

// taken returns what is closed when the place is given back; nil: nobody has it.
func (e *Engine) taken() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.free
}

func (e *Engine) isStaging() bool { return e.taken() != nil }

// awaitPlace waits a moment for a place that is taken: a stage that is about to end is no reason to refuse the next.
func (e *Engine) awaitPlace(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, placePatience)
	defer cancel()
	for free := e.taken(); free != nil; free = e.taken() {
		select {
		case <-free:
		case <-ctx.Done():
			return
		}
	}
}

// EndStage ends the stage under way, if there is one, and keeps the place for operators. It returns when the place is
// free.
func (e *Engine) EndStage(ctx context.Context) (ended bool, err error) {
	e.holdPlace()
	e.mu.Lock()
	s := e.stage
	e.mu.Unlock()
	if s == nil {
		return false, nil
	}
	s.cancel(refusal.New(refusal.Cancelled, "an operator ended the stage"))
	select {
	case <-s.over:
		return s.err != nil, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// setStage notes the stage that has the place.
func (e *Engine) setStage(s *Stage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stage = s
}

// holdPlace keeps the place for operators for a while.
func (e *Engine) holdPlace() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heldUntil = e.cfg.Clock.Now().Add(holdOff)
}

// releasePlace ends that: the operators switched to what they had staged.
func (e *Engine) releasePlace() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heldUntil = time.Time{}
}

// heldOff refuses those who may only stage while the place is kept for operators.
func (e *Engine) heldOff() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if left := e.heldUntil.Sub(e.cfg.Clock.Now()); left > 0 {
		return refusal.New(refusal.StageInProgress, "the place is kept for operators for another %s",
			left.Round(time.Second))
	}
	return nil
}
