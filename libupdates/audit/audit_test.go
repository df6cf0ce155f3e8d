package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/audit"
)

// chain returns n linked records and their head.
func chain(n int) (records []audit.Record, head audit.Head) {
	for i := range n {
		var r audit.Record
		r, head = head.Append(audit.Record{
			Sequence: uint64(10 * (i + 1)), Boot: 1, UnixMs: int64(i), Sender: "updated", Level: 3, Message: "audit",
			Fields: []audit.Field{{Key: "op", Value: "stage"}, {Key: "slot", Value: "b"}},
		})
		records = append(records, r)
	}
	return records, head
}

// faults returns what Verify found as text.
func faults(records []audit.Record, oldest uint64, head audit.Head, since *audit.Head) string {
	var lines []string
	for _, f := range audit.Verify(audit.Chain{Records: records, Oldest: oldest, Head: head}, since).Faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "; ")
}

func TestWholeChainHolds(t *testing.T) {
	for n := range 5 {
		records, head := chain(n)
		if got := faults(records, 1, head, &head); got != "" {
			t.Errorf("%d records: %s", n, got)
		}
		for kept := range n { // older ones were evicted
			if got := faults(records[kept:], uint64(kept+1), head, nil); got != "" {
				t.Errorf("the last %d of %d records: %s", n-kept, n, got)
			}
		}
	}
}

// Each part of a record is hashed, and none can be moved into the part beside it.
func TestEveryPartOfARecordCounts(t *testing.T) {
	for name, change := range map[string]func(*audit.Record){
		"sequence":    func(r *audit.Record) { r.Sequence++ },
		"boot":        func(r *audit.Record) { r.Boot++ },
		"time":        func(r *audit.Record) { r.UnixMs++ },
		"sender":      func(r *audit.Record) { r.Sender += "x" },
		"level":       func(r *audit.Record) { r.Level++ },
		"message":     func(r *audit.Record) { r.Message = "" },
		"field":       func(r *audit.Record) { r.Fields[0].Value = "switch" },
		"key":         func(r *audit.Record) { r.Fields[0].Key = "opx" },
		"less fields": func(r *audit.Record) { r.Fields = r.Fields[:1] },
		"more fields": func(r *audit.Record) { r.Fields = append(r.Fields, audit.Field{}) },
		"shifted": func(r *audit.Record) {
			r.Fields[0] = audit.Field{Key: "ops", Value: "tage"}
		},
		"sender to message": func(r *audit.Record) { r.Sender, r.Message = "update", "daudit" },
	} {
		for i, want := range []string{"record 1 was changed", "record 2 was changed", "record 3 was changed"} {
			records, head := chain(3)
			change(&records[i])
			if got := faults(records, 1, head, nil); got != want {
				t.Errorf("%s of record %d: %q, want %q", name, i+1, got, want)
			}
		}
	}
}

func TestFaultsAreFoundWhereTheyAre(t *testing.T) {
	remove := func(from, to int) func([]audit.Record) []audit.Record {
		return func(r []audit.Record) []audit.Record { return slices.Delete(r, from, to) }
	}
	for name, c := range map[string]struct {
		tamper func([]audit.Record) []audit.Record
		want   string
	}{
		"one removed":   {remove(2, 3), "record 3 was removed"},
		"many removed":  {remove(1, 4), "records 2 to 4 were removed"},
		"end removed":   {remove(3, 5), "records 4 to 5 were removed"},
		"all removed":   {remove(0, 5), "records 1 to 5 were removed"},
		"start removed": {remove(0, 2), "records 1 to 2 were removed"},
		"swapped": {func(r []audit.Record) []audit.Record {
			r[1], r[2] = r[2], r[1]
			return r
		}, "record 2 was reordered"},
		"twice": {func(r []audit.Record) []audit.Record { return slices.Insert(r, 2, r[1]) }, "record 2 was reordered"},
		"link": {func(r []audit.Record) []audit.Record {
			r[2].Previous[0]++
			return r
		}, "records 2 to 3 were changed"},
		"two changed": {func(r []audit.Record) []audit.Record {
			r[1].Message, r[3].Message = "", ""
			return r
		}, "record 2 was changed; record 4 was changed"},
		"two neighbours changed": {func(r []audit.Record) []audit.Record {
			r[1].Message, r[2].Message = "", ""
			return r
		}, "records 2 to 3 were changed"},
		"after the head": {func(r []audit.Record) []audit.Record {
			more, _ := audit.Head{Number: 5, Hash: r[4].Hash()}.Append(audit.Record{Message: "more"})
			return append(r, more)
		}, "record 6 was added"},
	} {
		records, head := chain(5)
		if got := faults(c.tamper(records), 1, head, nil); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A chain that somebody made anew holds by itself. Only a head that was exported before shows it.
func TestExportedHeadShowsARewrittenChain(t *testing.T) {
	records, _ := chain(3)
	_, exported := chain(3)
	records[1].Message = "forged"
	var head audit.Head
	for i := range records {
		records[i], head = head.Append(records[i])
	}
	if got := faults(records, 1, head, nil); got != "" {
		t.Errorf("without the head: %s", got)
	}
	want := "record 3 is not the one of the head: the chain was rewritten"
	if got := faults(records, 1, head, &exported); got != want {
		t.Errorf("with the head: %q, want %q", got, want)
	}
}

func TestExportedHead(t *testing.T) {
	records, head := chain(6)
	_, third := chain(3)
	later := audit.Head{Number: 9, Hash: head.Hash}
	forged := audit.Head{Number: 3, Hash: head.Hash}
	for name, c := range map[string]struct {
		records []audit.Record
		since   audit.Head
		want    string
	}{
		"of an empty chain":           {records, audit.Head{}, ""},
		"older":                       {records, third, ""},
		"its record was just evicted": {records[3:], third, ""},
		"forged, the same": {records[3:], forged,
			"record 3 is not the one of the head: the chain was rewritten"},
		"the one after it too": {records[4:], third,
			"the journal no longer has record 3 of the head, nor the one after it"},
		"newer than the journal": {records, later, "records 7 to 9 were removed"},
	} {
		if got := faults(c.records, 7-uint64(len(c.records)), head, &c.since); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	records, head := chain(1000)
	for i := range records {
		records[i].Number *= 2
	}
	head.Number = 5000
	if got := len(audit.Verify(audit.Chain{Records: records, Oldest: 1, Head: head}, nil).Faults); got != 100 {
		t.Errorf("%d faults", got)
	}
}

func TestHeadText(t *testing.T) {
	_, head := chain(2)
	again, err := audit.ParseHead(head.String())
	if err != nil || again != head {
		t.Errorf("%v becomes %v, %v", head, again, err)
	}
	zeros := strings.Repeat("0", 64)
	if _, err := audit.ParseHead("0:" + zeros); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "1", ":", "1:", zeros, ":" + zeros, "1:" + zeros[1:], "1:" + zeros + "0", "x:" +
		zeros,
		"-1:" + zeros, "01:" + zeros, "1:" + strings.Repeat("g", 64), "1:" + strings.Repeat("A", 64), " 1:" + zeros,
		"18446744073709551616:" + zeros} {
		if h, err := audit.ParseHead(text); err == nil {
			t.Errorf("%q is read as %v", text, h)
		}
	}
}

// The hash is part of a format that outlives versions: heads are kept elsewhere for years.
func TestHashStays(t *testing.T) {
	_, head := chain(1)
	if want := "1:c20613b06203e40a7adfde10fe37ec2bc0b2b840b391476d18214b995ecbdd71"; fmt.Sprint(head) != want {
		t.Errorf("the head of a known record is %s", head)
	}
}
