package logd

import (
	"cmp"
	"container/list"
	"maps"
	"math"
	"slices"
	"strings"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/libupdates/audit"
)

// A share is a part of the journal with bounds of its own: what is in one pushes nothing out of another.
type share uint8

// The shares.
const (
	shareAudit   share = iota // audit records
	shareEvents               // markers and crash reports
	shareDaemons              // plain messages of daemons
	shareBundles              // what bundles write
	shares
)

// bundlePrefix begins the names of senders that are bundles.
const bundlePrefix = "bundle:"

// shareOf is the share that a record is in.
func shareOf(r *record) share {
	switch {
	case r.entry.Kind == journal.Kind_audit:
		return shareAudit
	case r.entry.Kind != journal.Kind_message:
		return shareEvents
	case strings.HasPrefix(r.sender, bundlePrefix):
		return shareBundles
	default:
		return shareDaemons
	}
}

// bounds are those of one share: whichever is reached first pushes a record out.
type bounds struct{ records, bytes int }

// inMemory are the bounds of the shares in memory.
func inMemory() [shares]bounds {
	return [shares]bounds{
		shareAudit: {2048, 1 << 20}, shareEvents: {1024, 1 << 20}, shareDaemons: {2048, 3 << 20},
		shareBundles: {2048, 3 << 20},
	}
}

// What a record and each of its fields cost beside their text, about.
const (
	recordOverhead = 96
	fieldOverhead  = 32
)

// A record is what the journal keeps: journal.Record as a value.
type record struct {
	sequence uint64 // from 1, without gaps
	sender   string
	unixMs   int64
	boot     uint32 // in which it was received
	entry    logclient.Entry

	// For audit records: the place in their chain.
	number   uint64 // 0: it is from before there was a chain
	previous audit.Hash

	durable bool // it is on disk
}

// link is an audit record as its chain has it.
func (r *record) link() audit.Record {
	fields := make([]audit.Field, len(r.entry.Fields))
	for i, f := range r.entry.Fields {
		fields[i] = audit.Field(f)
	}
	return audit.Record{
		Number: r.number, Previous: r.previous, Sequence: r.sequence, Boot: r.boot, UnixMs: r.unixMs,
		Sender: r.sender, Level: uint16(r.entry.Level), Message: r.entry.Message, Fields: fields,
	}
}

func (r *record) cost() int {
	return recordOverhead + len(r.sender) + r.entry.Bytes() + fieldOverhead*len(r.entry.Fields)
}

// A ring holds the newest records. Within a share the sender that takes the most room gives way, so one that floods the
// journal evicts its own records and no others. Audit records are the exception: the oldest gives way, so that what is
// left of their chain has no gaps.
type ring struct {
	bounds [shares]bounds
	used   [shares]bounds
	order  *list.List // of all that it holds, by sequence
	queues [shares]map[string]*queue
	next   uint64     // sequence of the next record
	head   audit.Head // of the chain of audit records
	oldest uint64     // number of the first audit record that was not evicted

	watching map[*pusher]struct{} // told what is evicted
	dropped  uint64               // pushed out here, or reported lost by a sender
	lostBy   map[string]uint64    // the same by sender
}

// A queue is what one sender has in one share (queueOf).
type queue struct {
	records []*list.Element // oldest first
	bytes   int
}

func newRing(b [shares]bounds) *ring {
	r := &ring{bounds: b, order: list.New(), next: 1, oldest: 1, watching: map[*pusher]struct{}{},
		lostBy: map[string]uint64{}}
	for s := range r.queues {
		r.queues[s] = map[string]*queue{}
	}
	return r
}

// add gives the record its sequence, an audit record its place in the chain, and keeps it.
func (r *ring) add(rec record) {
	rec.sequence, rec.durable = r.next, false
	if shareOf(&rec) == shareAudit {
		linked, head := r.head.Append(rec.link())
		rec.number, rec.previous, r.head = linked.Number, linked.Previous, head
	}
	r.keep(rec)
}

// queueOf names the queue of a record in its share: those of one sender, or for crash reports of one process.
func queueOf(rec *record) string {
	switch {
	case rec.entry.Kind == journal.Kind_audit:
		return "" // one for all
	case rec.entry.Kind == journal.Kind_crash:
		return rec.entry.Value("process")
	default:
		return rec.sender
	}
}

// keep keeps a record that has its sequence, which is higher than all before.
func (r *ring) keep(rec record) {
	s := shareOf(&rec)
	for r.used[s].records >= r.bounds[s].records || r.used[s].bytes+rec.cost() > r.bounds[s].bytes {
		r.pushOut(s)
	}
	name := queueOf(&rec)
	q := r.queues[s][name]
	if q == nil {
		q = &queue{}
		r.queues[s][name] = q
	}
	q.records = append(q.records, r.order.PushBack(&rec))
	r.count(s, q, 1, rec.cost())
	r.next = rec.sequence + 1
}

func (r *ring) count(s share, q *queue, records, bytes int) {
	q.bytes += bytes
	r.used[s].records += records
	r.used[s].bytes += bytes
}

// pushOut drops the oldest record of the queue that takes the most room in the share.
func (r *ring) pushOut(s share) {
	largest := ""
	for sender, q := range r.queues[s] {
		if most := r.queues[s][largest]; most == nil || q.bytes > most.bytes ||
			q.bytes == most.bytes && sender < largest {
			largest = sender
		}
	}
	q := r.queues[s][largest]
	oldest := r.order.Remove(q.records[0]).(*record)
	q.records[0] = nil
	q.records = q.records[1:]
	r.count(s, q, -1, -oldest.cost())
	if len(q.records) == 0 {
		delete(r.queues[s], largest)
	}
	r.lost(oldest.sender, 1)
	if oldest.number != 0 {
		r.oldest = max(r.oldest, oldest.number+1)
	}
	for p := range r.watching {
		p.evicted(oldest)
	}
}

// setDurable notes which records of a share are on disk: exactly these, or these too.
func (r *ring) setDurable(s share, records []record, exactly bool) {
	if len(records) == 0 && !exactly {
		return
	}
	first := uint64(0)
	if !exactly {
		first = records[0].sequence
	}
	for e := r.at(first); e != nil; e = e.Next() {
		rec := e.Value.(*record)
		for len(records) > 0 && records[0].sequence < rec.sequence {
			records = records[1:]
		}
		switch {
		case shareOf(rec) != s:
		case len(records) > 0 && records[0].sequence == rec.sequence:
			rec.durable = true
		case exactly:
			rec.durable = false
		}
	}
}

// maxLosers bounds the senders whose losses are counted apart.
const maxLosers = 512

// lost counts lost records. Senders report what they like, so a sum stays at its limit.
func (r *ring) lost(sender string, n uint64) {
	if n == 0 {
		return
	}
	r.dropped += min(n, math.MaxUint64-r.dropped)
	if _, known := r.lostBy[sender]; !known && len(r.lostBy) >= maxLosers {
		delete(r.lostBy, slices.MinFunc(slices.Sorted(maps.Keys(r.lostBy)),
			func(a, b string) int { return cmp.Compare(r.lostBy[a], r.lostBy[b]) }))
	}
	r.lostBy[sender] += min(n, math.MaxUint64-r.lostBy[sender])
}

func (r *ring) kept() int { return r.order.Len() }

// capacity is how many records it can hold.
func (r *ring) capacity() (n int) {
	for _, b := range r.bounds {
		n += b.records
	}
	return n
}

// newest returns the newest records that match, oldest first, at most the filter's limit.
func (r *ring) newest(f filter) []record {
	var found []record
	for e := r.order.Back(); e != nil && len(found) < f.limit; e = e.Prev() {
		if rec := e.Value.(*record); f.matches(rec) {
			found = append(found, *rec)
		}
	}
	slices.Reverse(found)
	return found
}

// from returns the oldest records at or after cursor that match, at most n, and the cursor to go on from.
func (r *ring) from(cursor uint64, f filter, n int) ([]record, uint64) {
	var found []record
	for e := r.at(cursor); e != nil; e = e.Next() {
		rec := e.Value.(*record)
		if len(found) == n {
			return found, rec.sequence
		}
		if f.matches(rec) {
			found = append(found, *rec)
		}
	}
	return found, r.next
}

// at finds the oldest record at or after a sequence. It searches from the end, where callers mostly are.
func (r *ring) at(sequence uint64) *list.Element {
	var found *list.Element
	for e := r.order.Back(); e != nil && e.Value.(*record).sequence >= sequence; e = e.Prev() {
		found = e
	}
	return found
}

// A tally is what became of the records of one sender.
type tally struct {
	sender        string
	kept, dropped uint64
}

// maxTallies bounds a list of tallies (schema/journal.capnp).
const maxTallies = 512

// tallies are those of all senders of whom something is kept or was lost, in byte order of their names. Of too many,
// those who lost the most are in it.
func (r *ring) tallies() []tally {
	kept := map[string]uint64{}
	for e := r.order.Front(); e != nil; e = e.Next() {
		kept[e.Value.(*record).sender]++
	}
	for sender := range r.lostBy {
		kept[sender] += 0
	}
	var all []tally
	for _, sender := range slices.Sorted(maps.Keys(kept)) {
		all = append(all, tally{sender, kept[sender], r.lostBy[sender]})
	}
	if len(all) > maxTallies {
		slices.SortStableFunc(all, func(a, b tally) int { return cmp.Compare(b.dropped, a.dropped) })
		all = all[:maxTallies]
		slices.SortFunc(all, func(a, b tally) int { return strings.Compare(a.sender, b.sender) })
	}
	return all
}
