package initd

import (
	"context"
	"slices"
	"time"
)

// petWatchdog pets the machine's watchdog until ctx ends, as long as the system really makes progress: its lock can be
// taken, and the loop of every daemon turns. A first process in which any of these stands still is as good as dead.
func (s *system) petWatchdog(ctx context.Context) {
	m := s.config.machine
	if m == nil || m.watchdog == nil {
		return
	}
	go m.witness(ctx)
	for ctx.Err() == nil {
		next := s.host.Clock.After(m.petEvery())
		if !s.turns(ctx, next) {
			continue // it was next already
		}
		if err := m.pet(); err != nil {
			s.log.Error("the machine will be restarted", "error", err)
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// turns tells whether every daemon's loop has come round before it was too late.
func (s *system) turns(ctx context.Context, late <-chan time.Time) bool {
	s.mu.Lock()
	children := slices.Clone(s.order)
	s.mu.Unlock()
	for _, c := range children {
		select {
		case c.turn <- struct{}{}:
		case <-c.gone:
		case <-late:
			s.log.Warn("the first process makes no progress", "waits_for", c.row.Name)
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}
