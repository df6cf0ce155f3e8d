package logd

import (
	"errors"
	"fmt"
	"io"
	"sync"

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

	mu   sync.Mutex
	ring *ring
}

func newLedger(clock plat.Clock, console io.Writer) *ledger {
	return &ledger{clock: clock, console: console, changed: vat.NewNotifier(), ring: newRing()}
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
		l.ring.add(record{sender: sender, unixMs: now, entry: e})
	}
	l.ring.lost(dropped)
	l.mu.Unlock()
	l.changed.Notify()
}

// query returns the newest records that match, oldest first.
func (l *ledger) query(f filter) []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ring.newest(f)
}

// start returns the cursor of a follower that begins with what a query would answer.
func (l *ledger) start(f filter) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.ring.newest(f); len(found) > 0 {
		return found[0].sequence
	}
	return l.ring.next
}

// from returns what a follower gets next, at most n records, and its cursor after that.
func (l *ledger) from(cursor uint64, f filter, n int) ([]record, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ring.from(cursor, f, n)
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
