package logd_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/logd"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/audit"
)

// A stopped clock always shows the same time.
type stopped struct{ plat.Clock }

func (stopped) Now() time.Time { return time.UnixMilli(1_700_000_000_000) }

// A rig is logd with a console that can be read.
type rig struct {
	*vattest.Daemon
	t       testing.TB
	console string // path
}

func start(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, console: filepath.Join(t.TempDir(), "console")}
	console, err := os.Create(r.console)
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	r.Daemon = startOn(t, console)
	return r
}

func startOn(t testing.TB, console *os.File) *vattest.Daemon {
	t.Helper()
	d := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return logd.Run(ctx, b, plat.Host{Clock: stopped{}})
	})
	d.File("console", console)
	d.Setting("journal", "memory")
	d.AwaitReady()
	return d
}

// printed returns the console's lines so far.
func (r *rig) printed() []string {
	r.t.Helper()
	text, err := os.ReadFile(r.console)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.FieldsFunc(string(text), func(c rune) bool { return c == '\n' })
}

func (r *rig) sink(sender string, grants ...string) journal.LogSink {
	return journal.LogSink(r.Client("LogSink", sender, grants...))
}

func (r *rig) journal() journal.Journal { return journal.Journal(r.Client("Journal", "operator")) }

func write(t testing.TB, sink journal.LogSink, dropped uint64, entries ...logclient.Entry) error {
	t.Helper()
	answer, release := sink.Write(t.Context(), func(p journal.LogSink_write_Params) error {
		p.SetDropped(dropped)
		list, err := p.NewEntries(int32(len(entries)))
		if err != nil {
			return err
		}
		for i, e := range entries {
			if err := e.Encode(list.At(i)); err != nil {
				return err
			}
		}
		return nil
	})
	defer release()
	_, err := answer.Struct()
	return err
}

func mustWrite(t testing.TB, sink journal.LogSink, entries ...logclient.Entry) {
	t.Helper()
	if err := write(t, sink, 0, entries...); err != nil {
		t.Fatalf("cannot write: %v", err)
	}
}

func mark(t *testing.T, sink journal.LogSink, line string) error {
	t.Helper()
	answer, release := sink.Marker(t.Context(), func(p journal.LogSink_marker_Params) error { return p.SetLine(line) })
	defer release()
	_, err := answer.Struct()
	return err
}

func message(level journal.Level, text string, fields ...logclient.Field) logclient.Entry {
	return logclient.Entry{Level: level, Message: text, Fields: fields}
}

func info(text string) logclient.Entry { return message(journal.Level_info, text) }

// A record is journal.Record as a value.
type record struct {
	sequence uint64
	sender   string
	unixMs   int64
	entry    logclient.Entry
	boot     uint32
	number   uint64 // in the chain of audit records
	previous audit.Hash
}

func readRecords(t testing.TB, list journal.Record_List, err error) []record {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var records []record
	for i := range list.Len() {
		m := list.At(i)
		sender, err := m.Sender()
		if err != nil {
			t.Fatal(err)
		}
		entry, err := m.Entry()
		if err != nil {
			t.Fatal(err)
		}
		e, err := logclient.ReadEntry(entry)
		if err != nil {
			t.Fatal(err)
		}
		r := record{
			sequence: m.Sequence(), sender: sender, unixMs: m.UnixMs(), entry: e, boot: m.Boot(),
			number: m.AuditNumber(),
		}
		if r.number != 0 {
			r.previous = hashOf(t, m.PreviousSha256)
		}
		records = append(records, r)
	}
	return records
}

// query asks with a filter that set fills; nil asks for all.
func query(t testing.TB, j journal.Journal, set func(journal.Filter) error) []record {
	t.Helper()
	answer, release := j.Query(t.Context(), func(p journal.Journal_query_Params) error {
		f, err := p.NewFilter()
		if err != nil || set == nil {
			return err
		}
		return set(f)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatalf("cannot query: %v", err)
	}
	list, err := res.Records()
	return readRecords(t, list, err)
}

func texts(records []record) []string {
	var out []string
	for _, r := range records {
		out = append(out, r.entry.Message)
	}
	return out
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Fatalf("got error %v, want one with %q", err, part)
	}
}
