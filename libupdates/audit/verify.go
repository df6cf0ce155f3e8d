package audit

import (
	"cmp"
	"fmt"
	"slices"
)

// A Fault is a place where the chain does not hold.
type Fault struct {
	Kind     FaultKind
	Number   uint64 // the record concerned, or the first of several
	Last     uint64 // the last of several; else as Number
	Sequence uint64 // of the record in the journal; for what is missing, of the one after it, 0 at the end
}

// A FaultKind is what was done to the chain.
type FaultKind string

// The kinds of faults.
const (
	Changed   FaultKind = "changed"   // the record is not the one that was written
	Removed   FaultKind = "removed"   // records are missing
	Reordered FaultKind = "reordered" // the record is not in its place
	Added     FaultKind = "added"     // the record comes after the head
	Rewritten FaultKind = "rewritten" // the record at the exported head is another one now
	NotKept   FaultKind = "not-kept"  // the journal no longer reaches back to the exported head
)

// String says what was found in one line.
func (f Fault) String() string {
	switch {
	case f.Kind == Rewritten:
		return fmt.Sprintf("record %d is not the one of the head: the chain was rewritten", f.Number)
	case f.Kind == NotKept:
		return fmt.Sprintf("the journal no longer has record %d of the head, nor the one after it", f.Number)
	case f.Number != f.Last:
		return fmt.Sprintf("records %d to %d were %s", f.Number, f.Last, f.Kind)
	}
	return fmt.Sprintf("record %d was %s", f.Number, f.Kind)
}

// A Report is the outcome of Verify.
type Report struct {
	First, Last uint64 // the lowest and the highest number of the records that are kept; 0: there is none
	Records     int
	Faults      []Fault
}

// maxFaults bounds the faults of one report. A chain that was torn apart needs no complete list.
const maxFaults = 100

// A Chain is what a journal has of it.
type Chain struct {
	Records []Record // in the journal's order
	Oldest  uint64   // the number of the first record that was not evicted for room, which is not a fault; at least 1
	Head    Head
}

// Verify checks a chain. With since, it is also checked against a head that was exported earlier.
func Verify(c Chain, since *Head) Report {
	records, head := c.Records, c.Head
	v := verifier{report: Report{Records: len(records)}}
	v.order(records)
	v.known = slices.Clone(records)
	slices.SortStableFunc(v.known, func(a, b Record) int { return cmp.Compare(a.Number, b.Number) })
	v.known = slices.CompactFunc(v.known, func(a, b Record) bool { return a.Number == b.Number })
	if len(v.known) > 0 {
		v.report.First, v.report.Last = v.known[0].Number, v.known[len(v.known)-1].Number
	}
	v.gaps(c.Oldest, head)
	v.links(head)
	if since != nil {
		v.since(head, *since)
	}
	return v.report
}

// A verifier gathers faults.
type verifier struct {
	known  []Record // by number, each once
	report Report
}

func (v *verifier) fault(f Fault) {
	if len(v.report.Faults) < maxFaults {
		v.report.Faults = append(v.report.Faults, f)
	}
}

// order reports records whose number does not grow.
func (v *verifier) order(records []Record) {
	highest := uint64(0)
	for _, r := range records {
		if r.Number <= highest {
			v.fault(Fault{Reordered, r.Number, r.Number, r.Sequence})
		}
		highest = max(highest, r.Number)
	}
}

// gaps reports missing numbers, and those after the head.
func (v *verifier) gaps(oldest uint64, head Head) {
	expected := oldest
	for _, r := range v.known {
		if r.Number > head.Number {
			v.fault(Fault{Added, r.Number, r.Number, r.Sequence})
			continue
		}
		if r.Number > expected {
			v.fault(Fault{Removed, expected, r.Number - 1, r.Sequence})
		}
		expected = max(expected, r.Number+1)
	}
	if expected <= head.Number {
		v.fault(Fault{Removed, expected, head.Number, 0})
	}
}

// links reports records that are not what their successor, or the head, says. Where several in a row are not, the link
// in the last one may have been changed instead of the record before it, so they are reported together.
func (v *verifier) links(head Head) {
	for i := 0; i < len(v.known); i++ {
		first := i
		for v.broken(i, head) && v.broken(i+1, head) {
			i++
		}
		if v.broken(i, head) {
			v.fault(Fault{Changed, v.known[first].Number, v.known[i].Number, v.known[first].Sequence})
		}
	}
}

// broken reports whether a record is not what its successor, or the head, says of it. Beside a gap nothing is said.
func (v *verifier) broken(i int, head Head) bool {
	if i >= len(v.known) {
		return false
	}
	r := v.known[i]
	if r.Number == head.Number {
		return r.Hash() != head.Hash
	}
	return i+1 < len(v.known) && v.known[i+1].Number == r.Number+1 && r.Hash() != v.known[i+1].Previous
}

// since checks that the record which an exported head names is still that record.
func (v *verifier) since(head, h Head) {
	switch {
	case h.Number == 0:
	case h.Number > head.Number:
		v.fault(Fault{Removed, head.Number + 1, h.Number, 0})
	case len(v.known) == 0 || h.Number+1 < v.report.First:
		v.fault(Fault{NotKept, h.Number, h.Number, 0})
	case h.Number == head.Number && h.Hash != head.Hash:
		v.fault(Fault{Rewritten, h.Number, h.Number, 0})
	default:
		for _, r := range v.known {
			if r.Number == h.Number && r.Hash() != h.Hash || r.Number == h.Number+1 && r.Previous != h.Hash {
				v.fault(Fault{Rewritten, h.Number, h.Number, r.Sequence})
				return
			}
		}
	}
}
