package logd

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
)

// A stuck console takes a line and then nothing happens, until it is unblocked.
type stuck struct{ writing, unblocked chan struct{} }

func (s stuck) Write(line []byte) (int, error) {
	s.writing <- struct{}{}
	<-s.unblocked
	return len(line), nil
}

// A console that nobody reads holds up who prints on it, and neither those who only record nor those who read.
func TestStuckConsoleHoldsUpOnlyWhoPrints(t *testing.T) {
	console := stuck{make(chan struct{}, 2), make(chan struct{})}
	l := newLedger(plat.RealClock{}, console)
	printed := make(chan error, 1)
	go func() { printed <- l.mark("updated", "updated: ready (non-persistent)") }()
	<-console.writing

	l.write("keystored", []logclient.Entry{{Level: journal.Level_info, Message: "goes on"}}, 0)
	got := l.query(filter{limit: maxAnswer})
	if len(got) != 1 || got[0].entry.Message != "goes on" {
		t.Errorf("the journal has %v, want the message alone: the marker is not printed yet", got)
	}
	close(console.unblocked)
	if err := <-printed; err != nil {
		t.Error(err)
	}
	if got := l.query(filter{limit: maxAnswer}); len(got) != 2 || got[1].entry.Kind != journal.Kind_marker {
		t.Errorf("the journal has %v, want the marker at its end", got)
	}
}

// A page keeps the lines printed on it.
type page struct {
	mu    sync.Mutex
	lines []string
}

func (p *page) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, string(line))
	return len(line), nil
}

// However many print at the same time, the console has the journal's order.
func TestConsoleHasTheJournalsOrderAmongSenders(t *testing.T) {
	console := &page{}
	l := newLedger(plat.RealClock{}, console)
	var senders sync.WaitGroup
	for n := range 4 {
		senders.Go(func() {
			for i := range 200 {
				if err := l.mark("marking", fmt.Sprintf("marker %d of %d", i, n)); err != nil {
					t.Error(err)
				}
				l.write("warning", []logclient.Entry{{Level: journal.Level_warn,
					Message: fmt.Sprintf("message %d of %d", i, n)}}, 0)
			}
		})
	}
	senders.Wait()
	var want []string
	for _, r := range l.query(filter{limit: l.ring.capacity()}) {
		line := r.entry.Message
		if r.entry.Kind != journal.Kind_marker {
			line, _ = lineOf(r.sender, r.entry)
		}
		want = append(want, line+"\n")
	}
	if len(want) != 1600 || !slices.Equal(console.lines, want) {
		t.Error("console and journal differ in their order")
	}
}
