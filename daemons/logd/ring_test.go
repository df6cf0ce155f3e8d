package logd

import (
	"math"
	"strings"
	"testing"

	"nexus/daemons/logclient"
)

func entryOf(size int) logclient.Entry { return logclient.Entry{Message: strings.Repeat("x", size)} }

func TestRingKeepsTheNewestByCount(t *testing.T) {
	r := newRing()
	for range maxRecords {
		r.add(record{})
	}
	if r.first != 1 || r.kept() != maxRecords || r.dropped != 0 {
		t.Fatalf("full: first %d, kept %d, dropped %d", r.first, r.kept(), r.dropped)
	}
	for range 3 {
		r.add(record{})
	}
	if r.first != 4 || r.kept() != maxRecords || r.dropped != 3 {
		t.Errorf("over: first %d, kept %d, dropped %d; want 4, %d, 3", r.first, r.kept(), r.dropped, maxRecords)
	}
	found, next := r.from(0, filter{}, maxRecords+1)
	if len(found) != maxRecords || next != r.next {
		t.Fatalf("%d records to %d", len(found), next)
	}
	for i, rec := range found {
		if want := uint64(4 + i); rec.sequence != want {
			t.Fatalf("record %d has sequence %d, want %d", i, rec.sequence, want)
		}
	}
}

func TestRingKeepsTheNewestByBytes(t *testing.T) {
	r := newRing()
	each := record{entry: entryOf(4096)}
	fit := maxBytes / each.cost()
	for i := range 2 * fit {
		r.add(each)
		if r.bytes > maxBytes {
			t.Fatalf("after %d records the ring holds %d bytes", i+1, r.bytes)
		}
	}
	if r.kept() != fit || r.dropped != uint64(fit) {
		t.Errorf("kept %d, dropped %d; want %d of each", r.kept(), r.dropped, fit)
	}
	held := 0
	for i := range r.records {
		if r.records[i].entry.Message != "" {
			held++
		}
	}
	if held != fit {
		t.Errorf("the ring still holds the text of %d records, want %d", held, fit)
	}
}

// Fields without text cost memory, too.
func TestRingCountsEmptyFields(t *testing.T) {
	r := newRing()
	for range 2 * maxRecords {
		r.add(record{entry: logclient.Entry{Fields: make([]logclient.Field, 32)}})
	}
	if r.kept() >= maxRecords || r.bytes > maxBytes {
		t.Errorf("kept %d records of 32 fields each as %d bytes", r.kept(), r.bytes)
	}
}

func TestLostNeverOverflows(t *testing.T) {
	r := newRing()
	for _, n := range []uint64{1, math.MaxUint64, 5, math.MaxUint64} {
		r.lost(n)
	}
	if r.dropped != math.MaxUint64 {
		t.Errorf("dropped %d, want the limit", r.dropped)
	}
}
