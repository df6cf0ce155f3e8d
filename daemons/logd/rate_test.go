package logd

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
)

var noon = time.UnixMilli(1_700_000_000_000)

func TestRateLetsABurstThroughAndThenOneInEachInterval(t *testing.T) {
	for _, kind := range []journal.Kind{journal.Kind_message, journal.Kind_audit, journal.Kind_crash} {
		r, of := rates{}, rateOf(kind)
		for i := range of.burst {
			if wait := r.take("flood", kind, noon); wait != 0 {
				t.Fatalf("%v: record %d of the burst waits %v", kind, i+1, wait)
			}
		}
		for i := range 3 {
			if wait, want := r.take("flood", kind, noon), time.Duration(i+1)*of.interval; wait != want {
				t.Errorf("%v: record %d over the burst waits %v, want %v", kind, i+1, wait, want)
			}
		}
		if wait := r.take("other", kind, noon); wait != 0 {
			t.Errorf("%v: another sender waits %v", kind, wait)
		}
		if wait := r.take("flood", kind, noon.Add(4*of.interval)); wait != 0 {
			t.Errorf("%v: after a pause it waits %v", kind, wait)
		}
	}
}

// What a sender says in plain messages takes nothing from its audit records.
func TestPlainMessagesAndAuditRecordsHaveTheirOwnRates(t *testing.T) {
	r := rates{}
	for range 2 * rateOf(journal.Kind_message).burst {
		r.take("updated", journal.Kind_message, noon)
	}
	if wait := r.take("updated", journal.Kind_audit, noon); wait != 0 {
		t.Errorf("an audit record waits %v for messages", wait)
	}
}

func TestClockThatIsSetBackStopsNobody(t *testing.T) {
	r := rates{}
	r.take("updated", journal.Kind_message, noon)
	of := rateOf(journal.Kind_message)
	if wait := r.take("updated", journal.Kind_message, noon.AddDate(-50, 0, 0)); wait > of.interval {
		t.Errorf("it waits %v", wait)
	}
}

func TestRatesAreBounded(t *testing.T) {
	r := rates{}
	for i := range 3 * maxRates {
		r.take(fmt.Sprint("bundle:", i), journal.Kind_message, noon)
	}
	if len(r) > maxRates+1 {
		t.Errorf("%d rates are known", len(r))
	}
	r.take("bundle:new", journal.Kind_message, noon.Add(time.Hour))
	if len(r) != 1 {
		t.Errorf("%d rates are known an hour later", len(r))
	}
}

// A held clock says when somebody waits for it.
type held struct {
	plat.Clock
	waits chan time.Duration
	over  chan time.Time
}

func (h held) Now() time.Time { return noon }

func (h held) After(d time.Duration) <-chan time.Time {
	h.waits <- d
	return h.over
}

// A sender over its rate waits; nothing of it is kept before.
func TestSenderOverItsRateWaits(t *testing.T) {
	clock := held{waits: make(chan time.Duration, 1), over: make(chan time.Time)}
	l := newLedger(clock, nil)
	of := rateOf(journal.Kind_message)
	if err := l.admit(t.Context(), "flood", make([]logclient.Entry, of.burst)); err != nil {
		t.Fatal(err)
	}
	admitted := make(chan error, 1)
	go func() { admitted <- l.admit(t.Context(), "flood", make([]logclient.Entry, 7)) }()
	if wait := <-clock.waits; wait != 7*of.interval {
		t.Errorf("it waits %v", wait)
	}
	select {
	case <-admitted:
		t.Error("it does not wait")
	default:
	}
	close(clock.over)
	if err := <-admitted; err != nil {
		t.Error(err)
	}

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	clock = held{waits: make(chan time.Duration, 1)}
	l.clock = clock
	if err := l.admit(gone, "flood", make([]logclient.Entry, of.burst)); !errors.Is(err, context.Canceled) {
		t.Errorf("a sender that is gone: %v", err)
	}
}
