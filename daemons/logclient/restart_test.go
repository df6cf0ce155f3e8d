package logclient_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/logd"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
)

func startLogd(t *testing.T, console *os.File) *vattest.Daemon {
	t.Helper()
	d := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return logd.Run(ctx, b, plat.Host{Clock: plat.RealClock{}})
	})
	d.File("console", console)
	d.Setting("journal", "memory")
	d.AwaitReady()
	return d
}

// journalOf returns what logd has of a sender, and how much it knows to be lost.
func journalOf(t *testing.T, d *vattest.Daemon, sender string) (entries []logclient.Entry, dropped uint64) {
	t.Helper()
	j := journal.Journal(d.Client("Journal", "operator"))
	answer, release := j.Query(t.Context(), func(p journal.Journal_query_Params) error {
		f, err := p.NewFilter()
		if err != nil {
			return err
		}
		return f.SetSender(sender)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	list, err := res.Records()
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Len() {
		m, err := list.At(i).Entry()
		if err != nil {
			t.Fatal(err)
		}
		e, err := logclient.ReadEntry(m)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	stats, releaseStats := j.Stats(t.Context(), nil)
	defer releaseStats()
	counted, err := stats.Struct()
	if err != nil {
		t.Fatal(err)
	}
	s, err := counted.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return entries, s.Dropped()
}

// Whatever logd had not taken when it died its next life gets, in order, and a marker is printed whichever life it is.
func TestLogdRestartsWhileAProcessLogs(t *testing.T) {
	console, err := os.Create(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	p := start(t, "updated")

	first := startLogd(t, console)
	p.Link("LogSink", first, "updated")
	p.log.Info("before")
	if err := p.log.Marker(t.Context(), "first life"); err != nil {
		t.Fatal(err)
	}
	first.Stop()

	var want []string
	for i := range 200 {
		want = append(want, strconv.Itoa(i))
		p.log.Info(want[i])
	}
	printed := make(chan error, 1)
	go func() { printed <- p.log.Marker(t.Context(), "second life") }()

	second := startLogd(t, console)
	p.Link("LogSink", second, "updated")
	if err := receive(t, printed); err != nil {
		t.Fatal(err)
	}
	got, dropped := journalOf(t, second, "updated")
	if !slices.Equal(texts(got), append(want, "second life")) || dropped != 0 {
		t.Errorf("%d dropped, the second life has %q", dropped, texts(got))
	}
	text, err := os.ReadFile(console.Name())
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Fields(strings.ReplaceAll(string(text), " ", "_")); !slices.Equal(lines,
		[]string{"first_life", "second_life"}) {
		t.Errorf("console %q", lines)
	}
}

// logd dies again and again, at any moment, while the process logs: it gets everything, in order, and what comes twice
// is only what a life that had just ended may not have taken.
func TestNothingIsLostOverManyRestarts(t *testing.T) {
	p := start(t, "updated")
	said, heard := 0, -1
	for range 50 {
		life := newFakeSink(nil)
		cut := p.Provide("LogSink", life.client())
		for range 50 {
			p.log.Info(strconv.Itoa(said))
			said++
		}
		for latest := -1; latest != said-1; {
			c := receive(t, life.calls)
			if c.dropped != 0 {
				t.Fatalf("%d entries were dropped", c.dropped)
			}
			first, last := span(t, c.entries)
			if first > heard+1 || latest >= 0 && first != latest+1 {
				t.Fatalf("%d came, after %d in this life and %d in all", first, latest, heard)
			}
			latest, heard = last, max(heard, last)
		}
		cut()
	}
}

// span checks that numbered entries follow one another and returns the first and the last number.
func span(t *testing.T, entries []logclient.Entry) (first, last int) {
	t.Helper()
	for i, e := range entries {
		n, err := strconv.Atoi(e.Message)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = n
		} else if n != last+1 {
			t.Fatalf("%d came after %d", n, last)
		}
		last = n
	}
	return first, last
}

// What is under way when logd dies goes to the next life.
func TestCallUnderWayIsSentAgain(t *testing.T) {
	p := start(t, "updated")
	dying := newFakeSink(never)
	cut := p.Provide("LogSink", dying.client())
	p.log.Audit(logclient.Audit{Op: "stage", Result: logclient.ResultOK})
	receive(t, dying.calls)
	cut()
	next := newFakeSink(func(ctx context.Context, c call) error {
		if c.marker != "" {
			return never(ctx, c)
		}
		return nil
	})
	cut = p.Provide("LogSink", next.client())
	if got, dropped := next.collect(t, 1); got[0].Value("op") != "stage" || dropped != 0 {
		t.Errorf("the next life got %+v, %d dropped", got, dropped)
	}

	printed := make(chan error, 1)
	go func() { printed <- p.log.Marker(t.Context(), "again") }()
	if c := receive(t, next.calls); c.marker != "again" {
		t.Fatalf("got %+v, want the marker", c)
	}
	cut()
	last := newFakeSink(nil)
	p.Provide("LogSink", last.client())
	if err := receive(t, printed); err != nil {
		t.Fatal(err)
	}
	if c := receive(t, last.calls); c.marker != "again" {
		t.Errorf("got %+v, want the marker", c)
	}
}
