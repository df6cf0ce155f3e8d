package logd

import (
	"math"
	"slices"

	"nexus/daemons/logclient"
)

// Bounds of the ring: whichever is reached first pushes out the oldest.
const (
	maxRecords = 4096
	maxBytes   = 4 << 20
)

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
	entry    logclient.Entry
}

func (r record) cost() int {
	return recordOverhead + len(r.sender) + r.entry.Bytes() + fieldOverhead*len(r.entry.Fields)
}

// A ring holds the newest records. Those it holds are first, first+1, … next-1, each at its sequence modulo the
// capacity.
type ring struct {
	records     []record
	first, next uint64
	bytes       int
	dropped     uint64 // pushed out here, or reported lost by a sender
}

func newRing() *ring {
	return &ring{records: make([]record, maxRecords), first: 1, next: 1}
}

// add gives the record its sequence and keeps it.
func (r *ring) add(rec record) {
	rec.sequence = r.next
	for r.kept() == maxRecords || r.bytes+rec.cost() > maxBytes {
		r.pushOut()
	}
	r.records[r.next%maxRecords] = rec
	r.bytes += rec.cost()
	r.next++
}

func (r *ring) pushOut() {
	oldest := r.at(r.first)
	r.bytes -= oldest.cost()
	*oldest = record{} // the ring holds on to nothing it has pushed out
	r.first++
	r.lost(1)
}

// lost counts lost records. Senders report what they like, so the sum stays at its limit.
func (r *ring) lost(n uint64) {
	r.dropped += min(n, math.MaxUint64-r.dropped)
}

func (r *ring) kept() int { return int(r.next - r.first) }

func (r *ring) at(sequence uint64) *record { return &r.records[sequence%maxRecords] }

// newest returns the newest records that match, oldest first, at most the filter's limit.
func (r *ring) newest(f filter) []record {
	var found []record
	for sequence := r.next; sequence > r.first && len(found) < f.limit; sequence-- {
		if rec := r.at(sequence - 1); f.matches(rec) {
			found = append(found, *rec)
		}
	}
	slices.Reverse(found)
	return found
}

// from returns the oldest records at or after cursor that match, at most n, and the cursor to go on from.
func (r *ring) from(cursor uint64, f filter, n int) ([]record, uint64) {
	var found []record
	sequence := max(cursor, r.first)
	for ; sequence < r.next && len(found) < n; sequence++ {
		if rec := r.at(sequence); f.matches(rec) {
			found = append(found, *rec)
		}
	}
	return found, sequence
}
