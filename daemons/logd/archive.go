package logd

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/capnpgen/statefs"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/audit"
	"nexus/libupdates/refusal"
)

// selfName is the sender of what logd itself says.
const selfName = "logd"

// How much of a share is kept on disk, and how it gets there.
const (
	segmentBytes = int(journal.MaxSegmentBytes) / 2 // what the records of one segment may cost
	flushBytes   = 2 * segmentBytes                 // of a share in one go: a flood does not become a flood of writes

	savePause  = time.Second      // between two goes
	retryPause = 10 * time.Second // after one that the disk refused
	keyTimeout = 10 * time.Second // of one call
)

// An archive is the journal on disk: segments under keys of the state folder's prefix `journal`. Records get there
// moments after they were said, each share within bounds of its own.
type archive struct {
	ledger *ledger
	bootID string        // what initd calls this boot
	hurry  chan struct{} // a token for a caller that cannot wait for the next write
	taken  bool          // what is on disk was taken up

	boot   uint32              // the number of this boot
	head   audit.Head          // of the chain of audit records, as far as it is on disk
	oldest uint64              // number of the oldest audit record on disk
	last   uint64              // number of the newest segment
	parts  [shares]archivePart // what is on disk
	told   bool                // that it cannot be written
}

// maxSegments is how many segments a share may have. With one more it is written anew.
func maxSegments(s share) int {
	if s == shareAudit { // room for all that memory holds of them
		return 2 * inMemory()[s].bytes / segmentBytes
	}
	return 16
}

// keys are the journal's keys in the state folder.
type keys interface {
	list(ctx context.Context) ([]string, error)
	read(ctx context.Context, s segment) (content, error)  // errDamaged: it is not what was written
	write(ctx context.Context, s segment, c content) error // it is durable on return
	remove(ctx context.Context, s segment) error
	sync(ctx context.Context) error // makes removals durable
}

// An archivePart is one share on disk.
type archivePart struct {
	segments []segment // oldest first
	open     []record  // what the newest holds, while it takes more
	bytes    int       // what these cost
	newest   uint64    // sequence of the newest record on disk
}

// run keeps the archive over all instances of statefsd, until ctx ends.
func (a *archive) run(ctx context.Context, state *vat.Holding) {
	state.Each(ctx, func(ctx context.Context, client capnp.Client) {
		for ctx.Err() == nil {
			err := a.save(ctx, stateKeys{statefs.StateFs(client)})
			if ctx.Err() != nil || vat.Disconnected(err) {
				return
			}
			a.tell(err)
			a.ledger.await(ctx, nil, retryPause)
		}
	})
}

// save takes up what is on disk, the first time, and then writes what is said, until ctx ends or the disk refuses.
func (a *archive) save(ctx context.Context, keys keys) error {
	if !a.taken {
		if err := a.takeUp(ctx, keys); err != nil {
			return err
		}
		a.taken = true
	}
	for {
		changed := a.ledger.changed.Next()
		more, err := a.flush(ctx, keys)
		if err != nil {
			return err
		}
		if !more {
			a.told = false
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		select {
		case <-a.ledger.clock.After(savePause):
		case <-a.hurry:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tell says once that the journal is not on disk. It is no reason to end: what is said is kept in memory.
func (a *archive) tell(err error) {
	if a.told {
		return
	}
	a.told = true
	a.ledger.say(journal.Level_warn, "cannot write journal to disk", logclient.Field{Key: "error", Value: err.Error()})
}

// A history is what was on disk when logd started.
type history struct {
	records []record // in order
	head    audit.Head
	oldest  uint64 // number of the oldest audit record
	boot    uint32 // the number of this boot
}

// takeUp reads what is on disk. A damaged segment is reported and dropped, and what another version keeps there is
// reported and left alone.
func (a *archive) takeUp(ctx context.Context, keys keys) error {
	names, err := keys.list(ctx)
	if err != nil {
		return err
	}
	before := history{oldest: 1, boot: 1}
	damaged, foreign, newest := 0, 0, uint64(0)
	for _, name := range names {
		s, known := segmentOf(name)
		if !known {
			foreign++
			continue
		}
		a.last = max(a.last, s.number)
		found, err := keys.read(ctx, s)
		switch {
		case errors.Is(err, errDamaged):
			damaged++
			err = keys.remove(ctx, s)
		case err == nil:
			a.parts[s.share].segments = append(a.parts[s.share].segments, s)
			before.add(found)
			if s.number > newest {
				newest = s.number
				before.boot = a.bootAfter(found)
			}
		}
		if err != nil {
			a.parts = [shares]archivePart{}
			return err
		}
	}
	before.sort()
	a.head, a.oldest, a.boot = before.head, before.oldest, before.boot
	a.ledger.takeUp(before)
	close(a.ledger.takenUp)
	a.tellTakenUp(len(before.records), damaged, foreign)
	return nil
}

// bootAfter returns the number of this boot, if that segment is the newest one on disk.
func (a *archive) bootAfter(newest content) uint32 {
	if newest.bootID == a.bootID && a.bootID != "" || newest.boot == math.MaxUint32 {
		return max(newest.boot, 1) // only logd was restarted
	}
	return newest.boot + 1
}

// add adds what one segment holds.
func (h *history) add(c content) {
	h.records = append(h.records, c.records...)
	if c.head.Number > h.head.Number {
		h.head = c.head
	}
	h.oldest = max(h.oldest, c.oldest)
}

// sort brings the records in order, each once.
func (h *history) sort() {
	slices.SortStableFunc(h.records, func(x, y record) int { return cmp.Compare(x.sequence, y.sequence) })
	h.records = slices.CompactFunc(h.records, func(x, y record) bool { return x.sequence == y.sequence })
}

// tellTakenUp marks where the journal of before ends.
func (a *archive) tellTakenUp(records, damaged, foreign int) {
	if foreign > 0 {
		a.ledger.say(journal.Level_warn, "journal on disk has parts of another version: they are left alone",
			logclient.Field{Key: "reason", Value: string(refusal.BadSchemaVersion)})
	}
	if damaged > 0 {
		a.ledger.say(journal.Level_warn, "journal on disk was damaged: what could not be read is lost",
			logclient.Field{Key: "reason", Value: string(refusal.StateDamaged)})
	}
	if records > 0 {
		a.ledger.say(journal.Level_info, "journal goes on: the records before this one are from before the start")
	}
}

// flush writes what was said since it was called last, and reports whether that was anything.
func (a *archive) flush(ctx context.Context, keys keys) (more bool, err error) {
	fresh, next := a.ledger.unsaved()
	for s := range a.parts {
		most := flushBytes
		if share(s) == shareAudit { // their chain has no gaps on disk either
			most = math.MaxInt
		}
		if err := a.extend(ctx, keys, share(s), newestOf(fresh, share(s), most)); err != nil {
			return false, err
		}
	}
	a.ledger.setSaved(next)
	return len(fresh) > 0, nil
}

// newestOf are the records of a share that fit into some bytes, each sender's alike.
func newestOf(records []record, s share, bytes int) []record {
	var most [shares]bounds
	most[s] = bounds{bytes, bytes}
	r := newRing(most)
	for i := range records {
		if shareOf(&records[i]) == s {
			r.keep(records[i])
		}
	}
	return r.newest(filter{limit: r.kept()})
}

// extend adds records to a share.
func (a *archive) extend(ctx context.Context, keys keys, s share, records []record) error {
	part := &a.parts[s]
	for len(records) > 0 && records[0].sequence <= part.newest { // a go before has got that far
		records = records[1:]
	}
	for len(records) > 0 {
		n, cost := 0, part.bytes
		for n < len(records) && cost+records[n].cost() <= segmentBytes {
			cost += records[n].cost()
			n++
		}
		if n == 0 || len(part.segments) == 0 || part.open == nil {
			a.last++
			part.segments = append(part.segments, segment{s, a.last})
			part.open, part.bytes = []record{}, 0
			if n == 0 {
				continue
			}
		}
		filled := append(slices.Clip(part.open), records[:n]...)
		head := a.head
		if last := filled[len(filled)-1]; last.number > head.Number {
			head = audit.Head{Number: last.number, Hash: last.link().Hash()}
		}
		c := content{records: filled, head: head, oldest: a.oldest, boot: a.boot, bootID: a.bootID}
		if err := keys.write(ctx, part.segments[len(part.segments)-1], c); err != nil {
			return err
		}
		a.ledger.setDurable(s, records[:n], false)
		a.head, part.open, part.bytes, part.newest = head, filled, cost, records[n-1].sequence
		records = records[n:]
	}
	if len(part.segments) > maxSegments(s) {
		return a.rewrite(ctx, keys, s)
	}
	return nil
}

// rewrite writes a share anew, as far as the journal in memory still has it and in fewer segments, and then removes the
// old ones. A cut in between leaves records twice.
func (a *archive) rewrite(ctx context.Context, keys keys, s share) error {
	part := &a.parts[s]
	old := part.segments
	records := newestOf(a.ledger.until(part.newest), s, maxSegments(s)*3/4*segmentBytes)
	if len(records) > 0 && records[0].number != 0 {
		a.oldest = records[0].number
	}
	fresh := archivePart{}
	a.parts[s] = fresh
	if err := a.extend(ctx, keys, s, records); err != nil {
		a.parts[s].segments = append(old, a.parts[s].segments...)
		return err
	}
	a.ledger.setDurable(s, records, true)
	for i, segment := range old {
		if err := keys.remove(ctx, segment); err != nil {
			a.parts[s].segments = append(slices.Clone(old[i:]), a.parts[s].segments...)
			return err
		}
	}
	return keys.sync(ctx)
}
