package logd

import (
	"context"

	"nexus/capnpgen/journal"
	"nexus/daemons/vat"
)

// Bounds on following.
const (
	maxFollows = 16 // subscriptions of one client at a time
	maxPush    = 64 // records in one call (schema/journal.capnp)
)

// follows is what a client's subscriptions are counted by.
func follows() *vat.Quota { return vat.NewQuota("subscriptions", maxFollows) }

// A pusher sends records to one follower. The ring itself is its queue: what that pushes out before the follower has
// taken it, the follower misses, and the sequence shows it.
type pusher struct {
	ledger   *ledger
	filter   filter
	cursor   cursor
	follower journal.Follower
}

// tell sends the next records, if there are any.
func (p *pusher) tell(ctx context.Context) (more bool, err error) {
	var found []record
	found, p.cursor = p.ledger.from(p.cursor, p.filter, maxPush)
	if len(found) == 0 {
		return false, nil
	}
	return true, p.push(ctx, found)
}

// push sends records and waits until the follower has taken them.
func (p *pusher) push(ctx context.Context, records []record) error {
	err := p.follower.Records(ctx, func(args journal.Follower_records_Params) error {
		list, err := args.NewRecords(int32(len(records)))
		if err != nil {
			return err
		}
		return encode(list, records)
	})
	if err != nil {
		return err
	}
	return p.follower.WaitStreaming()
}
