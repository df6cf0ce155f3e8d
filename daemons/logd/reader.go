package logd

import (
	"context"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/daemons/vat"
	"nexus/libupdates/audit"
)

// readPatience is how long a reader waits for what is on disk to be read back.
const readPatience = 5 * time.Second

// A reader is the Journal of one client.
type reader struct {
	ledger  *ledger
	follows *vat.Quota
}

// Query answers the newest records that match.
func (r *reader) Query(ctx context.Context, call journal.Journal_query) error {
	f, err := r.filterOf(call.Args().Filter())
	if err != nil {
		return err
	}
	call.Go()
	r.ledger.await(ctx, r.ledger.takenUp, readPatience)
	found := r.ledger.query(f)
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewRecords(int32(len(found)))
	if err != nil {
		return err
	}
	return encode(list, found)
}

// Follow sends what Query would answer, then what arrives.
func (r *reader) Follow(ctx context.Context, call journal.Journal_follow) error {
	f, err := r.filterOf(call.Args().Filter())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	follower := call.Args().Follower().AddRef()
	call.Go()
	r.ledger.await(ctx, r.ledger.takenUp, readPatience)
	p := &pusher{ledger: r.ledger, filter: f, follower: follower}
	r.ledger.watch(p)
	feed := vat.Feed{Changed: r.ledger.changed, Quota: r.follows, Over: func() { r.ledger.unwatch(p) }}
	subscription, err := feed.Follow(capnp.Client(follower), p.tell)
	if err != nil {
		return err
	}
	return res.SetSubscription(journal.Subscription_ServerToClient(subscription))
}

// Stats answers the counters.
func (r *reader) Stats(_ context.Context, call journal.Journal_stats) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	stats, err := res.NewStats()
	if err != nil {
		return err
	}
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	ring := r.ledger.ring
	stats.SetRecords(ring.next - 1)
	stats.SetKept(uint64(ring.kept()))
	stats.SetDropped(ring.dropped)
	stats.SetCapacity(uint64(ring.capacity()))
	stats.SetBoot(r.ledger.boot)
	stats.SetPersistent(r.ledger.archive != nil)
	return setTallies(stats, ring.tallies())
}

// Head answers the head of the chain of audit records.
func (r *reader) Head(ctx context.Context, call journal.Journal_head) error {
	call.Go()
	r.ledger.await(ctx, r.ledger.takenUp, readPatience)
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	head, err := res.NewHead()
	if err != nil {
		return err
	}
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	res.SetOldest(r.ledger.ring.oldest)
	return setHead(head, r.ledger.ring.head)
}

func setHead(m journal.AuditHead, h audit.Head) error {
	m.SetNumber(h.Number)
	return m.SetSha256(h.Hash[:])
}

func setTallies(stats journal.Stats, tallies []tally) error {
	list, err := stats.NewSenders(int32(len(tallies)))
	if err != nil {
		return err
	}
	for i, t := range tallies {
		list.At(i).SetKept(t.kept)
		list.At(i).SetDropped(t.dropped)
		if err := list.At(i).SetSender(t.sender); err != nil {
			return err
		}
	}
	return nil
}

// filterOf takes what the getter of a call's arguments returns.
func (r *reader) filterOf(m journal.Filter, err error) (filter, error) {
	if err != nil {
		return filter{}, err
	}
	return readFilter(m, r.ledger.clock.Now())
}

func encode(list journal.Record_List, records []record) error {
	for i, r := range records {
		m := list.At(i)
		m.SetSequence(r.sequence)
		m.SetUnixMs(r.unixMs)
		m.SetBoot(r.boot)
		m.SetDurable(r.durable)
		if r.number != 0 {
			m.SetAuditNumber(r.number)
			if err := m.SetPreviousSha256(r.previous[:]); err != nil {
				return err
			}
		}
		if err := m.SetSender(r.sender); err != nil {
			return err
		}
		entry, err := m.NewEntry()
		if err != nil {
			return err
		}
		if err := r.entry.Encode(entry); err != nil {
			return err
		}
	}
	return nil
}
