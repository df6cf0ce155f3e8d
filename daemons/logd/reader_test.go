package logd_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
)

func TestQueryFilters(t *testing.T) {
	r := start(t)
	updated, keystored := r.sink("updated"), r.sink("keystored")
	mustWrite(t, updated, message(journal.Level_debug, "1 debug"), message(journal.Level_unspecified, "2 none"))
	mustWrite(t, keystored, message(journal.Level_warn, "3 warn"))
	mustWrite(t, updated, logclient.Entry{Level: journal.Level_error, Kind: journal.Kind_crash, Message: "4 crash"})
	mustWrite(t, updated, logclient.Entry{Level: journal.Level_info, Kind: journal.Kind_audit, Message: "5 audit"})
	if err := mark(t, keystored, "6 marker"); err != nil {
		t.Fatal(err)
	}
	kinds := func(f journal.Filter, kinds ...journal.Kind) error {
		list, err := f.NewKinds(int32(len(kinds)))
		for i, k := range kinds {
			list.Set(i, k)
		}
		return err
	}
	j := r.journal()
	for _, c := range []struct {
		name string
		set  func(journal.Filter) error
		want string
	}{
		{"none", nil, "1 2 3 4 5 6"},
		{"sender", func(f journal.Filter) error { return f.SetSender("keystored") }, "3 6"},
		{"unknown sender", func(f journal.Filter) error { return f.SetSender("key") }, ""},
		{"level info, which unspecified is",
			func(f journal.Filter) error { f.SetMinLevel(journal.Level_info); return nil }, "2 3 4 5 6"},
		{"level warn", func(f journal.Filter) error { f.SetMinLevel(journal.Level_warn); return nil }, "3 4"},
		{"unknown level", func(f journal.Filter) error { f.SetMinLevel(77); return nil }, ""},
		{"one kind", func(f journal.Filter) error { return kinds(f, journal.Kind_marker) }, "6"},
		{"plain messages", func(f journal.Filter) error { return kinds(f, journal.Kind_message) }, "1 2 3"},
		{"two kinds", func(f journal.Filter) error { return kinds(f, journal.Kind_audit, journal.Kind_crash) }, "4 5"},
		{"unknown kind", func(f journal.Filter) error { return kinds(f, 500) }, ""},
		{"after", func(f journal.Filter) error { f.SetAfterSequence(4); return nil }, "5 6"},
		{"after the end", func(f journal.Filter) error { f.SetAfterSequence(99); return nil }, ""},
		{"limit takes the newest", func(f journal.Filter) error { f.SetLimit(2); return nil }, "5 6"},
		{"limit of those that match", func(f journal.Filter) error { f.SetLimit(2); return f.SetSender("updated") },
			"4 5"},
		{"limit over the bound", func(f journal.Filter) error { f.SetLimit(1 << 31); return nil }, "1 2 3 4 5 6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, text := range texts(query(t, j, c.set)) {
				got = append(got, text[:1])
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFiltersAreBounded(t *testing.T) {
	j := start(t).journal()
	for want, set := range map[string]func(journal.Filter) error{
		"17 kinds are over the 16": func(f journal.Filter) error {
			_, err := f.NewKinds(17)
			return err
		},
		"a sender and a scope of 4097 bytes": func(f journal.Filter) error {
			return errors.Join(f.SetSender("x"), f.SetScope(strings.Repeat("x", 4096)))
		},
	} {
		answer, release := j.Query(t.Context(), func(p journal.Journal_query_Params) error {
			f, err := p.NewFilter()
			if err != nil {
				return err
			}
			return set(f)
		})
		_, err := answer.Struct()
		release()
		wantError(t, err, want)
	}
}

// An answer of the most and the largest records passes the bound of a message.
func TestLargestAnswer(t *testing.T) {
	r := start(t)
	sink := r.sink("updated")
	fields := slices.Repeat([]logclient.Field{{Key: "k", Value: strings.Repeat("v", 125)}}, 32)
	for range 10 {
		batch := slices.Repeat([]logclient.Entry{{Message: strings.Repeat("m", 64), Fields: fields}}, 64)
		mustWrite(t, sink, batch...)
	}
	got := query(t, r.journal(), nil)
	if len(got) != 512 || got[0].sequence != 129 || got[511].entry.Bytes() != 4096 {
		t.Errorf("%d records from %d", len(got), got[0].sequence)
	}
}

func TestStats(t *testing.T) {
	r := start(t)
	sink := r.sink("updated")
	for i := range 20 {
		batch := make([]logclient.Entry, 256)
		for j := range batch {
			batch[j] = info(fmt.Sprint(i, j))
		}
		mustWrite(t, sink, batch...)
	}
	if err := write(t, sink, 7); err != nil { // no entries, only the report of lost ones
		t.Fatal(err)
	}
	answer, release := r.journal().Stats(t.Context(), nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	s, err := res.Stats()
	if err != nil {
		t.Fatal(err)
	}
	got := [...]uint64{s.Records(), s.Kept(), s.Dropped(), s.Capacity()}
	if want := [...]uint64{20 * 256, 2048, 20*256 - 2048 + 7, 7168}; got != want {
		t.Errorf("records, kept, dropped, capacity: %d, want %d", got, want)
	}
	senders, err := s.Senders()
	if err != nil || senders.Len() != 1 {
		t.Fatalf("%d senders, error %v", senders.Len(), err)
	}
	name, _ := senders.At(0).Sender()
	if one := senders.At(0); name != "updated" || one.Kept() != 2048 || one.Dropped() != s.Dropped() {
		t.Errorf("%s: kept %d, dropped %d", name, one.Kept(), one.Dropped())
	}
}
