package updater

import (
	"context"

	"nexus/libupdates/refusal"
)

// EndStage ends the stage under way, or drops what an interrupted one has kept, tells those in UntilEnded, and keeps
// the place for operators. Nothing is kept to be resumed. It returns when the place is free.
func (g *Staging) EndStage(ctx context.Context) (ended bool, err error) {
	g.place.hold()
	if s := g.current(); s != nil {
		s.cancel(errEnded)
		select {
		case <-s.over:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if ended = s.err != nil; !ended {
			return false, nil
		}
	}
	dropped, err := g.forget()
	told := g.tellEnded()
	return ended || dropped || told, err
}

// errEnded is why a stage ends, or does not go on.
var errEnded = refusal.New(refusal.Cancelled, "an operator ended the stage")

// UntilEnded waits until an operator ends stages. It is for a sender that pauses between stages of one archive, and is
// refused like its next stage while the place is kept for operators, unless it is one.
func (g *Staging) UntilEnded(ctx context.Context, operator bool) error {
	ended := make(chan struct{})
	g.wait(ended)
	defer g.waitNoMore(ended)
	if err := g.place.heldOff(); err != nil && !operator {
		return err
	}
	select {
	case <-ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Staging) wait(ended chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiters[ended] = true
}

func (g *Staging) waitNoMore(ended chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiters, ended)
}

// tellEnded ends the wait of those in UntilEnded, and reports whether there were any.
func (g *Staging) tellEnded() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	told := len(g.waiters) > 0
	for ended := range g.waiters {
		close(ended)
	}
	clear(g.waiters)
	return told
}

// HasKept reports whether an interrupted stage has kept something.
func (g *Staging) HasKept() bool { return g.slots.store.HasKept() }

// forget drops what an interrupted stage has kept, and reports whether there was anything. Another stage that has begun
// meanwhile is left alone.
func (g *Staging) forget() (dropped bool, err error) {
	if g.ledger.takePlace() != nil {
		return false, nil
	}
	defer g.place.end()
	dropped = g.HasKept()
	return dropped, g.slots.store.Forget()
}
