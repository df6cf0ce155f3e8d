package machine

import (
	"context"
	"time"

	"nexus/daemons/logclient"
)

// PetWhile pets the watchdog until ctx ends, as long as the system makes progress. turns reports whether it does; it
// returns false once it is too late. A first process that stands still is as good as dead.
func (m *Machine) PetWhile(
	ctx context.Context, turns func(ctx context.Context, late <-chan time.Time) bool, log *logclient.Log,
) {
	if m == nil || m.watchdog == nil {
		return
	}
	go m.witness(ctx)
	for ctx.Err() == nil {
		next := m.clock.After(m.petEvery())
		if !turns(ctx, next) {
			continue // it was next already
		}
		if err := m.Pet(); err != nil {
			log.Error("the machine will be restarted", "error", err)
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}
