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

// A pusher sends records to one follower. The ring itself is its queue: what is evicted from it before the follower has
// taken it, the follower misses, and is told how much that was.
type pusher struct {
	ledger   *ledger
	filter   filter
	follower journal.Follower

	// Guarded by the lock of the ledger.
	cursor cursor
	missed uint64 // since the last call
}

// evicted counts a record that left the journal before it was sent. The lock of the ledger is held.
func (p *pusher) evicted(r *record) {
	if r.sequence >= p.cursor.sequence && p.filter.matches(r) {
		p.missed++
	}
}

// tell sends the next records, if there are any.
func (p *pusher) tell(ctx context.Context) (more bool, err error) {
	found, missed := p.ledger.take(p, maxPush)
	if len(found) == 0 && missed == 0 {
		return false, nil
	}
	return true, p.push(ctx, found, missed)
}

// push sends records and waits until the follower has taken them.
func (p *pusher) push(ctx context.Context, records []record, missed uint64) error {
	err := p.follower.Records(ctx, func(args journal.Follower_records_Params) error {
		args.SetMissed(missed)
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
