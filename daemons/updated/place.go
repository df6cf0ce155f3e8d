package updated

import (
	"context"
	"time"

	"nexus/capnpgen/update"
	"nexus/libupdates/refusal"
)

// There is one place for a stage. Who has it may lose it: to its own slowness (watchStall), or to an operator.

// placePatience is how long a stage waits for the place of another that may be on its way out: a sender's connection
// takes a moment to end.
const placePatience = time.Second

// holdOff is how long those who may only stage leave the place to operators after one of these has staged a set, which
// is his to take up, or has ended a stage.
const holdOff = time.Minute

// A request is one sender's wish to stage.
type request struct {
	life     context.Context // of the daemon: no stage outlives it
	size     uint64          // of the archive, as the sender says
	progress update.StageProgress
	operator bool // else it is of one who may only stage
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
		return nil, refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", r.size,
			e.limits.Archive)
	}
	if err := e.heldOff(); err != nil && !r.operator {
		return nil, err
	}
	e.awaitPlace(ctx)
	size := int64(r.size)
	if err := e.begin(size); err != nil {
		return nil, err
	}
	return e.startStage(r.life, size, r.progress.AddRef(), r.operator)
}

// awaitPlace waits a moment for a place that is taken: a stage that is being given back is no reason to refuse the
// next.
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

// endStage ends the stage under way, if there is one, and keeps the place for operators. It returns when the place is
// free.
func (e *engine) endStage(ctx context.Context) (ended bool, err error) {
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

// holdPlace keeps the place for operators for a while.
func (e *engine) holdPlace() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heldUntil = e.clock.Now().Add(holdOff)
}

// freePlace ends that: what was staged is taken up.
func (e *engine) freePlace() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heldUntil = time.Time{}
}

// heldOff refuses those who may only stage while the place is kept for operators.
func (e *engine) heldOff() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if left := e.heldUntil.Sub(e.clock.Now()); left > 0 {
		return refusal.New(refusal.StageInProgress, "the place is kept for operators for another %s",
			left.Round(time.Second))
	}
	return nil
}
