package logd

import (
	"context"
	"sync/atomic"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/journal"
)

// Bounds on following.
const (
	maxFollows = 16 // subscriptions of one client at a time
	maxPush    = 64 // records in one call (schema/journal.capnp)
)

// A quota counts the subscriptions of one client.
type quota struct{ used atomic.Int32 }

func (q *quota) take() error {
	if q.used.Add(1) > maxFollows {
		q.used.Add(-1)
		return exc.New(exc.Overloaded, "", "cannot follow: too many subscriptions")
	}
	return nil
}

func (q *quota) give() { q.used.Add(-1) }

// A subscription sends records to one follower. The ring itself is its queue: it holds a cursor and has at most one call under way,
// so a follower that does not answer costs neither memory nor anyone else's time. What the ring pushes out meanwhile it misses, and
// the sequence shows it.
type subscription struct {
	ledger   *ledger
	filter   filter
	cursor   uint64
	follower journal.Follower
	quota    *quota
	cancel   context.CancelFunc
}

// start begins to send and returns the capability that ends it.
func (s *subscription) start() journal.Subscription {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
	return journal.Subscription_ServerToClient(s)
}

// Shutdown runs when the subscriber dropped the subscription, or died.
func (s *subscription) Shutdown() { s.cancel() }

func (s *subscription) run(ctx context.Context) {
	defer s.quota.give()
	defer s.follower.Release()
	for {
		changed := s.ledger.changed.Next()
		var found []record
		found, s.cursor = s.ledger.from(s.cursor, s.filter, maxPush)
		if len(found) == 0 {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return
			}
		}
		if s.push(ctx, found) != nil {
			return
		}
	}
}

// push sends records and waits until the follower has taken them.
func (s *subscription) push(ctx context.Context, records []record) error {
	err := s.follower.Records(ctx, func(p journal.Follower_records_Params) error {
		list, err := p.NewRecords(int32(len(records)))
		if err != nil {
			return err
		}
		return encode(list, records)
	})
	if err != nil {
		return err
	}
	return s.follower.WaitStreaming()
}
