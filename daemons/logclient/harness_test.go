package logclient_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
)

// A process is one that logs: the log under test and the life of the process around it.
type process struct {
	*vattest.Daemon
	log *logclient.Log
}

// start begins a process that no logd has been linked to yet.
func start(t *testing.T, name string) *process {
	t.Helper()
	holding := make(chan *vat.Holding, 1)
	d := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		holding <- b.Use("LogSink")
		<-ctx.Done()
		return nil
	})
	p := &process{d, logclient.New(name, <-holding)}
	t.Cleanup(p.log.Close)
	return p
}

// A call is what a stand-in for logd was asked: a batch, or a marker.
type call struct {
	entries []logclient.Entry
	dropped uint64
	marker  string
	child   string // of the sink it came to
}

// A fakeSink is a LogSink whose answers the test decides.
type fakeSink struct {
	calls  chan call
	answer func(context.Context, call) error // nil: every call succeeds
	child  string
}

func newFakeSink(answer func(context.Context, call) error) *fakeSink {
	return &fakeSink{calls: make(chan call, 1024), answer: answer}
}

func (s *fakeSink) client() capnp.Client { return capnp.Client(journal.LogSink_ServerToClient(s)) }

func (s *fakeSink) take(ctx context.Context, c call) error {
	c.child = s.child
	s.calls <- c
	if s.answer == nil {
		return nil
	}
	return s.answer(ctx, c)
}

func (s *fakeSink) Write(ctx context.Context, w journal.LogSink_write) error {
	list, err := w.Args().Entries()
	if err != nil {
		return err
	}
	c := call{dropped: w.Args().Dropped()}
	for i := range list.Len() {
		e, err := logclient.ReadEntry(list.At(i))
		if err != nil {
			return err
		}
		c.entries = append(c.entries, e)
	}
	w.Go()
	return s.take(ctx, c)
}

func (s *fakeSink) Marker(ctx context.Context, m journal.LogSink_marker) error {
	line, err := m.Args().Line()
	if err != nil {
		return err
	}
	m.Go()
	return s.take(ctx, call{marker: line})
}

func (s *fakeSink) Sync(context.Context, journal.LogSink_sync) error { return nil }

func (s *fakeSink) ForSender(_ context.Context, f journal.LogSink_forSender) error {
	name, err := f.Args().Name()
	if err != nil {
		return err
	}
	if name == "forbidden" {
		return errors.New("cannot make sink: not granted")
	}
	res, err := f.AllocResults()
	if err != nil {
		return err
	}
	return res.SetSink(journal.LogSink_ServerToClient(&fakeSink{s.calls, s.answer, name}))
}

// never answers a call before its connection ends.
func never(ctx context.Context, _ call) error {
	<-ctx.Done()
	return ctx.Err()
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(vattest.Patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// collect waits for n entries and adds up what was reported lost.
func (s *fakeSink) collect(t *testing.T, n int) (entries []logclient.Entry, dropped uint64) {
	t.Helper()
	for len(entries) < n {
		c := receive(t, s.calls)
		entries, dropped = append(entries, c.entries...), dropped+c.dropped
	}
	return entries, dropped
}

func texts(entries []logclient.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Message)
	}
	return out
}
