package initd

import (
	"context"
	"slices"
	"time"
)

// turns tells whether the system makes progress: its locks can be taken, and every daemon's loop has come round before
// it was too late.
func (s *system) turns(ctx context.Context, late <-chan time.Time) bool {
	s.links.AwaitLock()
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
