package logclient_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
)

func TestWhatIsSaidBeforeLogdIsUpArrives(t *testing.T) {
	p := start(t, "updated")
	var want []string
	for i := range 256 {
		want = append(want, strconv.Itoa(i))
		p.log.Info(want[i])
	}
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	got, dropped := sink.collect(t, 256)
	if !slices.Equal(texts(got), want) || dropped != 0 {
		t.Errorf("%d dropped, got %q", dropped, texts(got))
	}
}

// Over the bound plain messages go, whether the newcomer is one or not, and the rest keeps its order.
func TestFullQueueDropsPlainMessagesFirst(t *testing.T) {
	p := start(t, "updated")
	for i := range 300 {
		switch i % 10 {
		case 3:
			p.log.Audit(logclient.Audit{Op: strconv.Itoa(i), Result: logclient.ResultOK})
		case 7:
			p.log.Crash(logclient.Crash{Process: strconv.Itoa(i), Exit: "exit code 1"})
		default:
			p.log.Info("message", "number", i)
		}
	}
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	got, dropped := sink.collect(t, 256)
	if len(got) != 256 || dropped != 44 {
		t.Errorf("%d entries came and %d were reported lost, want 256 and 44", len(got), dropped)
	}
	last, kept := -1, 0
	for _, e := range got {
		number := numberOf(t, e)
		if number <= last {
			t.Errorf("%d came after %d", number, last)
		}
		last = number
		if e.Kind != journal.Kind_message {
			kept++
		}
	}
	if kept != 60 {
		t.Errorf("%d of 60 audit records and crash reports came", kept)
	}
}

func numberOf(t *testing.T, e logclient.Entry) int {
	t.Helper()
	text := e.Value("number") + e.Value("op") + e.Value("process")
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// When there is nothing else to drop, the newest audit records stay, and a plain message does not push one out.
func TestQueueFullOfAudit(t *testing.T) {
	p := start(t, "updated")
	for i := range 300 {
		p.log.Audit(logclient.Audit{Op: strconv.Itoa(i), Result: logclient.ResultOK})
	}
	p.log.Info("no room")
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	got, dropped := sink.collect(t, 256)
	if len(got) != 256 || dropped != 45 || got[255].Value("op") != "299" {
		t.Errorf("%d entries came, %d lost, last is %s; want 256, 45, 299", len(got), dropped,
			got[len(got)-1].Value("op"))
	}
}

// What is under way is not among what is dropped: it is neither lost nor counted, nor is another entry taken for it.
func TestBatchUnderWayIsNotDropped(t *testing.T) {
	p := start(t, "updated")
	gate := make(chan struct{})
	sink := newFakeSink(func(context.Context, call) error { <-gate; return nil })
	p.Provide("LogSink", sink.client())
	p.log.Info("message", "number", 0)
	under := receive(t, sink.calls)
	p.log.Audit(logclient.Audit{Op: "1", Result: logclient.ResultOK})
	for i := range 299 {
		p.log.Info("message", "number", i+2)
	}
	close(gate)
	got, dropped := sink.collect(t, 255)
	if len(under.entries) != 1 || len(got) != 255 || dropped != 45 {
		t.Fatalf("%d under way, %d came after, %d lost; want 1, 255, 45", len(under.entries), len(got), dropped)
	}
	if first := numberOf(t, got[0]); first != 1 {
		t.Errorf("the first is number %d, want the audit record, 1", first)
	}
	for i, e := range got[1:] {
		if number := numberOf(t, e); number != 47+i {
			t.Fatalf("then comes number %d, want the newest 254 messages in order", number)
		}
	}
}

// A batch that is refused is lost, is reported so, and holds nothing up.
func TestRefusedBatchIsReportedLost(t *testing.T) {
	p := start(t, "updated")
	sink := newFakeSink(func(_ context.Context, c call) error {
		if len(c.entries) > 0 && c.entries[0].Message == "bad" {
			return errors.New("cannot write: not today")
		}
		return nil
	})
	p.Provide("LogSink", sink.client())
	p.log.Info("bad")
	receive(t, sink.calls)
	p.log.Info("good")
	for {
		c := receive(t, sink.calls)
		if i := slices.Index(texts(c.entries), "good"); i >= 0 {
			if c.dropped != 1 {
				t.Errorf("%d reported lost, want 1", c.dropped)
			}
			return
		}
	}
}

func TestCloseSendsWhatWaits(t *testing.T) {
	p := start(t, "updated")
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	for i := range 256 {
		p.log.Info(fmt.Sprint(i))
	}
	p.log.Close()
	p.log.Info("too late")
	p.log.Close()
	said := 0
	for range len(sink.calls) {
		said += len((<-sink.calls).entries)
	}
	if said != 256 {
		t.Errorf("%d of 256 messages were sent before Close returned", said)
	}
}

// Close ends whether or not logd answers.
func TestCloseEndsWithoutLogd(t *testing.T) {
	absent := start(t, "updated")
	absent.log.Info("for nobody")
	absent.log.Close()

	stuck := start(t, "updated")
	sink := newFakeSink(never)
	stuck.Provide("LogSink", sink.client())
	stuck.log.Info("never answered")
	receive(t, sink.calls)
	stuck.log.Close()
}
