package logd_test

import (
	"slices"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
)

func TestRecordHasItsSenderTimeAndPlace(t *testing.T) {
	r := start(t)
	mustWrite(t, r.sink("updated"), info("one"), message(journal.Level_debug, "two",
		logclient.Field{Key: "slot", Value: "b"}))
	mustWrite(t, r.sink("keystored"), info("three"))

	got := query(t, r.journal(), nil)
	const now = 1_700_000_000_000
	want := []record{
		{sequence: 1, sender: "updated", unixMs: now, entry: info("one")},
		{sequence: 2, sender: "updated", unixMs: now, entry: message(journal.Level_debug, "two",
			logclient.Field{Key: "slot", Value: "b"})},
		{sequence: 3, sender: "keystored", unixMs: now, entry: info("three")},
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("got %v, want %v", got, want)
	}
	if lines := r.printed(); len(lines) != 0 {
		t.Errorf("plain messages were printed: %q", lines)
	}
}

func same(a, b record) bool {
	return a.sequence == b.sequence && a.sender == b.sender && a.unixMs == b.unixMs && a.entry.Level == b.entry.Level &&
		a.entry.Kind == b.entry.Kind && a.entry.Message == b.entry.Message &&
		slices.Equal(a.entry.Fields, b.entry.Fields)
}

func TestMarkerIsPrintedBeforeItReturns(t *testing.T) {
	r := start(t)
	longest := strings.Repeat("x", 120)
	for i, line := range []string{"updated: ready (non-persistent)", "~ !\"#", longest} {
		if err := mark(t, r.sink("updated"), line); err != nil {
			t.Fatalf("marker %q: %v", line, err)
		}
		if lines := r.printed(); len(lines) != i+1 || lines[i] != line {
			t.Errorf("after marker %q the console shows %q", line, lines)
		}
	}
	got := query(t, r.journal(), nil)
	if len(got) != 3 || got[2].entry.Kind != journal.Kind_marker || got[2].entry.Message != longest ||
		got[2].sender != "updated" {
		t.Errorf("the journal has %v", got)
	}
}

func TestRefusedMarkerLeavesNothing(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"empty", "", "it is empty"},
		{"too long", strings.Repeat("x", 121), "121 bytes are over the 120"},
		{"newline", "one\ninit: health ok (slot b)", "byte 3 is not printable ASCII"},
		{"carriage return", "one\r", "byte 3 is not printable"},
		{"escape", "\x1b[2J", "byte 0 is not printable"},
		{"delete", "a\x7f", "byte 1 is not printable"},
		{"beyond ASCII", "é", "byte 0 is not printable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			wantError(t, mark(t, r.sink("updated"), c.line), "cannot print line: "+c.want)
			if lines := r.printed(); len(lines) != 0 {
				t.Errorf("the console shows %q", lines)
			}
			if got := query(t, r.journal(), nil); len(got) != 0 {
				t.Errorf("the journal has %v", got)
			}
		})
	}
}

// Only what was printed is a marker, whatever a sender says.
func TestWrittenMarkerIsAMessage(t *testing.T) {
	r := start(t)
	mustWrite(t, r.sink("updated"), logclient.Entry{Level: journal.Level_info, Kind: journal.Kind_marker,
		Message: "SELFTEST: ota stage ok"})
	if got := query(t, r.journal(), nil); len(got) != 1 || got[0].entry.Kind != journal.Kind_message {
		t.Errorf("the journal has %v, want a plain message", got)
	}
	if lines := r.printed(); len(lines) != 0 {
		t.Errorf("the console shows %q", lines)
	}
}

func TestUnknownLevelAndKind(t *testing.T) {
	r := start(t)
	mustWrite(t, r.sink("updated"), logclient.Entry{Level: 999, Kind: 999, Message: "odd"})
	got := query(t, r.journal(), nil)
	if len(got) != 1 || got[0].entry.Level != journal.Level_error || got[0].entry.Kind != journal.Kind_message {
		t.Errorf("the journal has %v, want an error message", got)
	}
}

func forSender(t *testing.T, sink journal.LogSink, name string) (journal.LogSink, error) {
	t.Helper()
	answer, release := sink.ForSender(t.Context(),
		func(p journal.LogSink_forSender_Params) error { return p.SetName(name) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return journal.LogSink{}, err
	}
	child := res.Sink().AddRef()
	t.Cleanup(child.Release)
	return child, nil
}

func TestChildSpeaksUnderItsOwnNameAndSaysMessagesOnly(t *testing.T) {
	r := start(t)
	child, err := forSender(t, r.sink("execd", "bundle"), "hello")
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, child, info("plain"), logclient.Entry{Kind: journal.Kind_audit, Message: "audit"},
		logclient.Entry{Kind: journal.Kind_crash, Message: "crash"})
	wantError(t, mark(t, child, "init: health ok (slot b)"), "the sink is a child's")
	_, err = forSender(t, child, "grandchild")
	wantError(t, err, "bundle:hello may not speak for others")

	got := query(t, r.journal(), nil)
	for _, rec := range got {
		if rec.sender != "bundle:hello" || rec.entry.Kind != journal.Kind_message {
			t.Errorf("record %v, want a message of bundle:hello", rec)
		}
	}
	if len(got) != 3 || len(r.printed()) != 0 {
		t.Errorf("%d records and console %q, want 3 and nothing", len(got), r.printed())
	}
}

func TestForSenderRefusals(t *testing.T) {
	r := start(t)
	_, err := forSender(t, r.sink("updated"), "hello")
	wantError(t, err, "updated may not speak for others")
	execd := r.sink("execd", "bundle")
	for _, name := range []string{"", "a b", "a:b", "a\nb", "é", strings.Repeat("x", 65)} {
		if _, err := forSender(t, execd, name); err == nil {
			t.Errorf("child name %q was accepted", name)
		}
	}
	if _, err := forSender(t, execd, strings.Repeat("x", 64)); err != nil {
		t.Errorf("the longest name is refused: %v", err)
	}
}

func TestTooManyEntriesAreRefusedWhole(t *testing.T) {
	r := start(t)
	sink := r.sink("updated")
	err := write(t, sink, 7, make([]logclient.Entry, 257)...)
	if !exc.IsType(err, exc.Overloaded) {
		t.Errorf("257 entries: %v, want overloaded", err)
	}
	if got := query(t, r.journal(), nil); len(got) != 0 {
		t.Errorf("%d records of a refused call were kept", len(got))
	}
	mustWrite(t, sink, make([]logclient.Entry, 256)...)
	if got := query(t, r.journal(), nil); len(got) != 256 {
		t.Errorf("%d records, want 256", len(got))
	}
}

func TestLargeEntryIsCut(t *testing.T) {
	r := start(t)
	mustWrite(t, r.sink("updated"),
		message(journal.Level_info, strings.Repeat("m", 3<<20), logclient.Field{Key: "never", Value: "seen"}),
		message(journal.Level_info, "m", logclient.Field{Key: "k", Value: strings.Repeat("v", 1<<19)},
			logclient.Field{Key: "never", Value: "seen"}),
		logclient.Entry{Message: "many", Fields: slices.Repeat([]logclient.Field{{Key: "k", Value: "v"}}, 33)},
		info(strings.Repeat("é", 2048)+"é"),
		info("bad \xff\xfe utf-8"),
	)
	got := query(t, r.journal(), nil)
	for i, c := range []struct{ fields, bytes int }{{0, 4096}, {1, 4096}, {32, 4 + 32*2}, {0, 4096}, {0, 11}} {
		if e := got[i].entry; len(e.Fields) != c.fields || e.Bytes() != c.bytes {
			t.Errorf("entry %d: %d fields, %d bytes; want %d, %d", i, len(e.Fields), e.Bytes(), c.fields, c.bytes)
		}
	}
}

// A message over the bound of a connection costs the sender that connection, and nobody else anything.
func TestHugeMessageCostsItsSenderTheConnection(t *testing.T) {
	r := start(t)
	other := r.sink("updated")
	hostile := r.sink("hostile")
	if err := write(t, hostile, 0, info(strings.Repeat("x", 10<<20))); err == nil {
		t.Error("a message of 10 MiB was accepted")
	}
	if err := write(t, hostile, 0, info("again")); !vat.Disconnected(err) {
		t.Errorf("the call after it: %v, want disconnected", err)
	}
	mustWrite(t, other, info("still here"))
	if got := texts(query(t, r.journal(), nil)); !slices.Equal(got, []string{"still here"}) {
		t.Errorf("the journal has %q", got)
	}
}

// An entry list that claims more than was sent is an error of its call.
func TestOverlappingTextsAreBounded(t *testing.T) {
	r := start(t)
	sink := r.sink("hostile")
	answer, release := sink.Write(t.Context(), func(p journal.LogSink_write_Params) error {
		list, err := p.NewEntries(256)
		if err != nil {
			return err
		}
		if err := list.At(0).SetMessage_(strings.Repeat("x", 1<<20)); err != nil {
			return err
		}
		shared, err := capnp.Struct(list.At(0)).Ptr(0)
		if err != nil {
			return err
		}
		for i := range 256 {
			if err := capnp.Struct(list.At(i)).SetPtr(0, shared); err != nil {
				return err
			}
		}
		return nil
	})
	defer release()
	if _, err := answer.Struct(); err == nil {
		t.Error("256 MiB out of one were accepted")
	}
	if got := query(t, r.journal(), nil); len(got) != 0 {
		t.Errorf("%d records of a failed call were kept", len(got))
	}
}
