package logd

import (
	"fmt"
	"math"
	"time"

	"nexus/capnpgen/journal"
)

// Bounds of a filter.
const (
	maxAnswer = 512                         // records in one answer (schema/journal.capnp)
	maxKinds  = 16                          // kinds that a filter may list
	maxNames  = int(journal.MaxRecordBytes) // bytes of its sender and scope, which a follower keeps
)

// A filter says which records: journal.Filter as a value. The zero value of each field means any.
type filter struct {
	sender   string
	minLevel journal.Level
	kinds    uint16 // one bit per kind
	after    uint64
	before   uint64
	since    int64 // milliseconds since 1970-01-01
	until    int64
	boot     uint32
	scope    string
	durable  bool // only those on disk
	limit    int  // 1 to maxAnswer
}

func readFilter(m journal.Filter, now time.Time) (filter, error) {
	sender, err := m.Sender()
	if err != nil {
		return filter{}, err
	}
	scope, err := m.Scope()
	if err != nil {
		return filter{}, err
	}
	if n := len(sender) + len(scope); n > maxNames {
		return filter{}, fmt.Errorf("cannot read filter: a sender and a scope of %d bytes are over the limit of %d", n,
			maxNames)
	}
	kinds, err := readKinds(m)
	if err != nil {
		return filter{}, err
	}
	limit := int(min(m.Limit(), maxAnswer))
	if limit == 0 {
		limit = maxAnswer
	}
	return filter{
		sender: sender, minLevel: m.MinLevel(), kinds: kinds, after: m.AfterSequence(), before: m.BeforeSequence(),
		since: sinceOf(m, now), until: m.UntilUnixMs(), boot: m.Boot(), scope: scope, durable: m.DurableOnly(),
		limit: limit,
	}, nil
}

// sinceOf is the time from which on records are wanted; the later one where two are given.
func sinceOf(m journal.Filter, now time.Time) int64 {
	since := m.SinceUnixMs()
	if within := m.WithinMs(); within != 0 {
		since = max(since, now.UnixMilli()-int64(min(within, math.MaxInt64>>1)))
	}
	return since
}

// readKinds makes a set of the kinds. One that the schema does not know matches nothing, but the set is then not empty.
func readKinds(m journal.Filter) (uint16, error) {
	list, err := m.Kinds()
	if err != nil {
		return 0, err
	}
	if list.Len() > maxKinds {
		return 0, fmt.Errorf("cannot read filter: %d kinds are over the %d of one filter", list.Len(), maxKinds)
	}
	var kinds uint16
	for i := range list.Len() {
		kinds |= 1 << min(list.At(i), 15)
	}
	return kinds, nil
}

func (f filter) matches(r *record) bool {
	return r.sequence > f.after && (f.before == 0 || r.sequence < f.before) &&
		(f.since == 0 || r.unixMs >= f.since) && (f.until == 0 || r.unixMs < f.until) &&
		(f.boot == 0 || f.boot == r.boot) && (!f.durable || r.durable) &&
		(f.sender == "" || f.sender == r.sender) && (f.scope == "" || f.scope == scopeOf(r)) &&
		effective(r.entry.Level) >= f.minLevel &&
		(f.kinds == 0 || f.kinds&(1<<r.entry.Kind) != 0)
}

// scopeOf is what a record is about: what its sender says, or the sender.
func scopeOf(r *record) string {
	if scope := r.entry.Value("scope"); scope != "" {
		return scope
	}
	return r.sender
}

// effective is a record's level, which is info when its sender did not say.
func effective(level journal.Level) journal.Level {
	if level == journal.Level_unspecified {
		return journal.Level_info
	}
	return level
}
