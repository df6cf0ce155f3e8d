package guard

import (
	"sync"
	"time"
)

// A Budget bounds how many messages arrive in a time over all connections that share it. Whoever sends more is read
// more slowly, and so takes no more of the processors.
type Budget struct {
	each  time.Duration // what one message takes of it
	burst time.Duration // what may be saved up

	mu   sync.Mutex
	used time.Time // until when it is used up
}

// NewBudget returns a budget of one message in each such time. As many as burst may come at once.
func NewBudget(each time.Duration, burst int) *Budget {
	return &Budget{each: each, burst: time.Duration(burst) * each}
}

// Within has the messages of a connection count against a budget.
func Within(budget *Budget) Option { return func(g *Guard) { g.budget = budget } }

// Spend takes count messages from the budget, and waits until they are in it or over is closed. A nil budget is
// unlimited.
func (b *Budget) Spend(count int, over <-chan struct{}) {
	if b == nil {
		return
	}
	wait := b.take(count, time.Now())
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-over:
	}
}

// take takes count messages and returns how long to wait for them.
func (b *Budget) take(count int, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if full := now.Add(-b.burst); b.used.Before(full) {
		b.used = full
	}
	b.used = b.used.Add(time.Duration(count) * b.each)
	return b.used.Sub(now)
}
