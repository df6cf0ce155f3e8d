package initd

import (
	"context"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
	"nexus/libupdates/health"
)

// followRecord tells of each change of the record, until ctx ends.
func (k *keeper) followRecord(ctx context.Context) {
	k.s.holdings["UpdateStatus"].Each(ctx, func(ctx context.Context, client capnp.Client) {
		for {
			err := k.observe(ctx, update.UpdateStatus(client))
			if !rest(ctx, k.s.host.Clock) {
				return // updated is on its way back
			}
			k.s.log.Warn("cannot follow the record", "error", err)
		}
	})
}

// observe follows the record for as long as it is told.
func (k *keeper) observe(ctx context.Context, status update.UpdateStatus) error {
	return updateclient.Follow(ctx, status, func(now updateclient.Status) bool {
		k.tell(ctx, health.Recorded{Boot: now.Boot, Pause: milliseconds(now.PauseMs)})
		return false
	})
}

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
