package logd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
)

// Bounds on what one call brings.
const (
	maxEntries   = 256 // schema/journal.capnp
	maxChildName = 64
)

// A sink is the LogSink of one sender. Its methods run one at a time, in the order of the calls: so does what the
// sender said.
type sink struct {
	ledger   *ledger
	sender   string
	children string // the kind of children the sender may speak for, "" for none
	child    bool   // it is one: it has messages only, and no console
}

// Write adds records, as soon as they are within the sender's rate.
func (s *sink) Write(ctx context.Context, call journal.LogSink_write) error {
	list, err := call.Args().Entries()
	if err != nil {
		return err
	}
	if list.Len() > maxEntries {
		return exc.New(exc.Overloaded, "", fmt.Sprintf("cannot write: %d entries are over the %d of one call",
			list.Len(), maxEntries))
	}
	entries := make([]logclient.Entry, list.Len())
	for i := range entries {
		if entries[i], err = logclient.ReadEntry(list.At(i)); err != nil {
			return err
		}
		if kind := s.admitted(entries[i].Kind); kind != entries[i].Kind {
			entries[i] = entries[i].As(kind)
		}
	}
	if err := s.ledger.admit(ctx, s.sender, entries); err != nil {
		return err
	}
	s.ledger.write(s.sender, entries, call.Args().Dropped())
	return nil
}

// admitted is the kind as which a record is kept: only what was printed is a marker, and a child says nothing but
// messages.
func (s *sink) admitted(kind journal.Kind) journal.Kind {
	if s.child || kind == journal.Kind_marker {
		return journal.Kind_message
	}
	return kind
}

// Marker prints a line and records it. What tests and operators rely on is for daemons to say, so a child's sink
// refuses.
func (s *sink) Marker(_ context.Context, call journal.LogSink_marker) error {
	line, err := call.Args().Line()
	if err != nil {
		return err
	}
	if s.child {
		return errors.New("cannot print line: the sink is a child's")
	}
	return s.ledger.mark(s.sender, line)
}

// ForSender makes the sink of a child.
func (s *sink) ForSender(_ context.Context, call journal.LogSink_forSender) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	if s.children == "" {
		return fmt.Errorf("cannot make sink: %s may not speak for others", s.sender)
	}
	if err := checkChildName(name); err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	child := &sink{ledger: s.ledger, sender: s.children + ":" + name, child: true}
	return res.SetSink(journal.LogSink_ServerToClient(child))
}

// syncPatience is how long a sender waits until what it said is on disk.
const syncPatience = 2 * time.Second

// Sync waits until what was said is on disk.
func (s *sink) Sync(ctx context.Context, call journal.LogSink_sync) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetSaved(s.ledger.awaitSaved(ctx, syncPatience))
	return nil
}

func checkChildName(name string) error {
	if name == "" || len(name) > maxChildName {
		return fmt.Errorf("cannot make sink: the name is not of 1 to %d bytes", maxChildName)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == ':' {
			return fmt.Errorf("cannot make sink: byte %d of the name is not allowed", i)
		}
	}
	return nil
}
