package updater

import (
	"context"
	"sync"
	"time"

	"nexus/libupdates/refusal"
)

// placePatience is how long a stage waits for the place of another that may be about to end: a sender's connection
// takes a moment to close.
const placePatience = time.Second

// holdOff is how long the place is kept for operators after one of them has staged a set, which is theirs to switch to,
// or has ended a stage.
const holdOff = time.Minute

// The place of a stage is the right to change what is staged, which one has at a time. Who has it may lose it: to its
// own slowness (stall.go), or to an operator.
type place struct {
	clock   Clock
	changed func()

	mu        sync.Mutex
	free      chan struct{} // closed when the place is given back; nil: nobody has it
	heldUntil time.Time     // until then only operators stage
}

// take takes the place, which nobody has. Only a step of the ledger does.
func (p *place) take() {
	p.mu.Lock()
	p.free = make(chan struct{})
	p.mu.Unlock()
	p.changed()
}

// end gives the place back.
func (p *place) end() {
	p.mu.Lock()
	close(p.free)
	p.free = nil
	p.mu.Unlock()
	p.changed()
}

// taken returns what is closed when the place is given back; nil: nobody has it.
func (p *place) taken() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free
}

func (p *place) isTaken() bool { return p.taken() != nil }

// await waits a moment for a place that is taken: a stage that is about to end is no reason to refuse the next.
func (p *place) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, placePatience)
	defer cancel()
	for free := p.taken(); free != nil; free = p.taken() {
		select {
		case <-free:
		case <-ctx.Done():
			return
		}
	}
}

// hold keeps the place for operators for a while.
func (p *place) hold() { p.holdUntil(p.clock.Now().Add(holdOff)) }

// release ends that: the operators switched to what they had staged.
func (p *place) release() { p.holdUntil(time.Time{}) }

func (p *place) holdUntil(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heldUntil = t
}

// heldOff refuses those who may only stage while the place is kept for operators.
func (p *place) heldOff() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := p.heldUntil.Sub(p.clock.Now()); left > 0 {
		return refusal.New(refusal.StageInProgress, "the place is kept for operators for another %s",
			left.Round(time.Second))
	}
	return nil
}
