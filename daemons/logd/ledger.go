package logd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// maxLine bounds a marker, in bytes (schema/journal.capnp).
const maxLine = 120

// A ledger is the journal and the console together, as all connections share them.
type ledger struct {
	clock   plat.Clock
	console io.Writer
	changed *vat.Notifier // after records were added

	// printing is held while something is added and printed, so that the console has the journal's order. A console
	// that nobody reads holds up those who print, each in its own call, and nobody else.
	printing sync.Mutex

	archive *archive      // nil: the journal is in memory only
	takenUp chan struct{} // closed when what is on disk was read, or there is nothing to read
	written *vat.Notifier // after records were written to disk

	mu    sync.Mutex
	ring  *ring
	boot  uint32 // the number of this one
	rates rates
	shift uint64 // by how much the sequences of records grew that were there before those on disk
	saved uint64 // the records before this sequence are on disk, as far as they are kept there
}

func newLedger(clock plat.Clock, console io.Writer) *ledger {
	return &ledger{clock: clock, console: console, changed: vat.NewNotifier(), ring: newRing(inMemory()), boot: 1,
		rates: rates{}, takenUp: make(chan struct{}), written: vat.NewNotifier()}
}

// write adds records of one sender and prints those that an operator must see. A console that fails loses nothing of
// the journal.
func (l *ledger) write(sender string, entries []logclient.Entry, dropped uint64) {
	var lines []string
	for _, e := range entries {
		if line, printed := lineOf(sender, e); printed {
			lines = append(lines, line)
		}
	}
	if len(lines) > 0 {
		l.printing.Lock()
		defer l.printing.Unlock()
	}
	l.add(sender, entries, dropped)
	for _, line := range lines {
		l.print(line)
	}
}

// mark prints a line exactly as it is, then records that it was printed.
func (l *ledger) mark(sender, line string) error {
	if err := checkLine(line); err != nil {
		return err
	}
	l.printing.Lock()
	defer l.printing.Unlock()
	if err := l.print(line); err != nil {
		return fmt.Errorf("cannot print line: %w", err)
	}
	marker := logclient.Entry{Level: journal.Level_info, Kind: journal.Kind_marker, Message: line}
	l.add(sender, []logclient.Entry{marker}, 0)
	return nil
}

func (l *ledger) print(line string) error {
	_, err := io.WriteString(l.console, line+"\n")
	return err
}

func (l *ledger) add(sender string, entries []logclient.Entry, dropped uint64) {
	now := l.clock.Now().UnixMilli()
	l.mu.Lock()
	for _, e := range entries {
		if e.Kind == journal.Kind_crash {
			e = l.withRecords(e)
		}
		l.ring.add(record{sender: sender, unixMs: now, boot: l.boot, entry: e})
	}
	l.ring.lost(sender, dropped)
	l.mu.Unlock()
	l.changed.Notify()
}

// Bounds on what of the journal is kept with a crash report.
const (
	crashRecords     = 8
	crashRecordBytes = 4 << 10
)

// withRecords returns a crash report with the last records of the process that ended. The lock is held.
func (l *ledger) withRecords(crash logclient.Entry) logclient.Entry {
	process := crash.Value("process")
	if process == "" || crash.Value("records") != "" {
		return crash
	}
	var lines []string
	for _, r := range l.ring.newest(filter{sender: process, limit: crashRecords}) {
		lines = append(lines, effective(r.entry.Level).String()+" "+printable(r.entry.Message)+all(r.entry))
	}
	if said := logclient.Newest(lines, crashRecordBytes); said != "" {
		crash.Fields = append(slices.Clone(crash.Fields), logclient.Field{Key: "records", Value: said})
	}
	return crash.As(crash.Kind)
}

// query returns the newest records that match, oldest first.
func (l *ledger) query(f filter) []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ring.newest(f)
}

// A cursor is a place in the journal: everything before it was taken.
type cursor struct{ sequence, shift uint64 }

// watch has a follower begin with what a query would answer.
func (l *ledger) watch(p *pusher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.cursor = cursor{l.ring.next, l.shift}
	if found := l.ring.newest(p.filter); len(found) > 0 {
		p.cursor.sequence = found[0].sequence
	}
	l.ring.watching[p] = struct{}{}
}

// unwatch forgets a follower.
func (l *ledger) unwatch(p *pusher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ring.watching, p)
}

// take returns what a follower gets next, at most n records, and how many it missed before them.
func (l *ledger) take(p *pusher, n int) (found []record, missed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, next := l.ring.from(p.cursor.sequence+l.shift-p.cursor.shift, p.filter, n)
	p.cursor, p.missed, missed = cursor{next, l.shift}, 0, p.missed
	return found, missed
}

// takeUp puts the records of before, which are in order, in front of those that are there.
func (l *ledger) takeUp(before history) {
	l.mu.Lock()
	early := l.ring
	l.ring = newRing(inMemory())
	l.ring.head, l.ring.oldest, l.boot = before.head, before.oldest, before.boot
	for _, rec := range before.records {
		rec.durable = true
		l.ring.keep(rec)
	}
	l.ring.dropped, l.ring.lostBy = 0, map[string]uint64{} // what does not fit is lost, but by no sender's fault
	l.shift = l.ring.next - 1
	l.saved = l.ring.next
	for e := early.order.Front(); e != nil; e = e.Next() {
		rec := *e.Value.(*record)
		rec.boot = l.boot
		l.ring.add(rec)
	}
	for sender, n := range early.lostBy {
		l.ring.lost(sender, n)
	}
	l.ring.watching = early.watching
	l.mu.Unlock()
	l.changed.Notify()
}

func checkLine(line string) error {
	if line == "" {
		return errors.New("cannot print line: it is empty")
	}
	if len(line) > maxLine {
		return fmt.Errorf("cannot print line: %d bytes are over the %d of a marker", len(line), maxLine)
	}
	for i := range len(line) {
		if line[i] < ' ' || line[i] > '~' {
			return fmt.Errorf("cannot print line: byte %d is not printable ASCII", i)
		}
	}
	return nil
}

// await waits for a channel to be closed, but not for ever.
func (l *ledger) await(ctx context.Context, closed <-chan struct{}, patience time.Duration) {
	select {
	case <-closed:
		return
	default:
	}
	select {
	case <-closed:
	case <-l.clock.After(patience):
	case <-ctx.Done():
	}
}

// say adds a message of logd's own.
func (l *ledger) say(level journal.Level, message string, fields ...logclient.Field) {
	l.write(selfName, []logclient.Entry{{Level: level, Message: message, Fields: fields}}, 0)
}

// setDurable notes which records of a share are on disk: exactly these, or these too.
func (l *ledger) setDurable(s share, records []record, exactly bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring.setDurable(s, records, exactly)
}

// unsaved returns what is not on disk yet, and the sequence of what comes after it.
func (l *ledger) unsaved() (records []record, next uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ring.from(l.saved, filter{}, math.MaxInt)
}

// until returns what there is up to a sequence.
func (l *ledger) until(newest uint64) []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	records, _ := l.ring.from(0, filter{}, math.MaxInt)
	return slices.DeleteFunc(records, func(r record) bool { return r.sequence > newest })
}

// setSaved notes that all before a sequence is on disk.
func (l *ledger) setSaved(next uint64) {
	l.mu.Lock()
	l.saved = next
	l.mu.Unlock()
	l.written.Notify()
}

// awaitSaved waits until what was said before is on disk, but not for ever, and reports whether it is.
func (l *ledger) awaitSaved(ctx context.Context, patience time.Duration) bool {
	if l.archive == nil {
		return false
	}
	late := l.clock.After(patience)
	select {
	case <-l.takenUp: // sequences are final from then on
	case <-late:
		return false
	case <-ctx.Done():
		return false
	}
	l.mu.Lock()
	wanted := l.ring.next
	l.mu.Unlock()
	for {
		written := l.written.Next()
		l.mu.Lock()
		saved := l.saved >= wanted
		l.mu.Unlock()
		if saved {
			return true
		}
		select {
		case l.archive.hurry <- struct{}{}:
		default:
		}
		select {
		case <-written:
		case <-late:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
