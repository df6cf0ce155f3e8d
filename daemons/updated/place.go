package updated

import (
	"context"
	"time"

	"nexus/capnpgen/update"
	"nexus/libupdates/refusal"
)

// There is one place for a stage. Who has it may lose it: to its own slowness (watchStall), or to an operator.

// placePatience is how long a stage waits for the place of another that may be on its way out: a sender's connection takes a moment to
// end.
const placePatience = time.Second

// holdOff is how long those who may only stage leave the place to others after an operator has ended a stage.
const holdOff = time.Minute

// A request is one sender's wish to stage.
type request struct {
	life     context.Context // of the daemon: no stage outlives it
	size     uint64          // of the archive, as the sender says
	progress update.StageProgress
	mayBegin func() error // nil: always
}

// admitStage starts a stage for a sender, who keeps the observer, or refuses it with an audit record.
func (e *engine) admitStage(ctx context.Context, r request) (*stage, error) {
	s, err := e.tryStage(ctx, r)
	if err != nil {
		e.audit("stage", subject{slot: e.snapshot().Standby(), size: r.size}, err)
	}
	return s, err
}

func (e *engine) tryStage(ctx context.Context, r request) (*stage, error) {
	if r.size > uint64(e.limits.Archive) {
		return nil, refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", r.size, e.limits.Archive)
	}
	if r.mayBegin != nil {
		if err := r.mayBegin(); err != nil {
			return nil, err
		}
	}
	e.awaitPlace(ctx)
	size := int64(r.size)
	if err := e.begin(size); err != nil {
		return nil, err
	}
	return e.startStage(r.life, size, r.progress.AddRef())
}

// awaitPlace waits a moment for a place that is taken: a stage that is being given back is no reason to refuse the next.
func (e *engine) awaitPlace(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, placePatience)
	defer cancel()
	for {
		next := e.changed.Next()
		if !e.isStaging() {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// setStage notes the stage that has the place.
func (e *engine) setStage(s *stage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stage = s
}

// endStage ends the stage under way, if there is one, and keeps those who may only stage from beginning another at once. It returns when
// the place is free.
func (e *engine) endStage(ctx context.Context) (ended bool, err error) {
	e.mu.Lock()
	s := e.stage
	if s != nil {
		e.heldUntil = e.clock.Now().Add(holdOff)
	}
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

// heldOff refuses those who may only stage for a while after an operator has ended a stage.
func (e *engine) heldOff() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if left := e.heldUntil.Sub(e.clock.Now()); left > 0 {
		return refusal.New(refusal.StageInProgress, "an operator ended a stage: the place is kept for operators for %s", left.Round(time.Second))
	}
	return nil
}
