package updater

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"nexus/libupdates/refusal"
)

// TestBytesComeByAStream has parts of an archive read from a stream, in the order in which they are announced.
func TestBytesComeByAStream(t *testing.T) {
	raw := archive(t, false)
	const at = 1000
	for name, c := range map[string]struct{ has, size int }{
		"as many as announced": {700, 700},
		"fewer":                {500, 700},
		"more":                 {900, 700},
		"none":                 {0, 700},
		"none are announced":   {500, 0},
		"all that are left":    {len(raw) - at, len(raw) - at},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := newStages(t)
			s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw))})
			must(t, err)
			must(t, s.Write(raw[:at]))
			stream := &file{Reader: bytes.NewReader(raw[at:][:c.has])}
			must(t, s.TakeStream(stream, int64(c.size)))
			must(t, s.Write(raw[at+min(c.has, c.size):]))
			if closed := stream.closed.Load(); closed != 1 {
				t.Errorf("the stream was closed %d times before later bytes came", closed)
			}
			_, _, err = s.Finish(t.Context())
			must(t, err)
			if came := s.received.Load(); came != int64(len(raw)) {
				t.Errorf("%d bytes came, want %d", came, len(raw))
			}
		})
	}
}

// A silent stream sends nothing until it is closed.
type silent struct {
	begin, end     sync.Once
	reading, ended chan struct{}
}

func newSilent() *silent { return &silent{reading: make(chan struct{}), ended: make(chan struct{})} }

func (s *silent) Read([]byte) (int, error) {
	s.begin.Do(func() { close(s.reading) })
	<-s.ended
	return 0, io.EOF
}

func (s *silent) Close() error {
	s.end.Do(func() { close(s.ended) })
	return nil
}

// TestAllIsSentWhenAStreamIsOver has a sender say that all was sent while a stream is read: that does not count yet.
func TestAllIsSentWhenAStreamIsOver(t *testing.T) {
	d, _ := newStages(t)
	raw := archive(t, false)
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw))})
	must(t, err)
	stream := newSilent()
	must(t, s.TakeStream(stream, 1000))
	waitFor(t, "the first read", stream.reading)
	if _, _, err := s.Finish(impatient()); !errors.Is(err, context.Canceled) || s.sent() {
		t.Errorf("while a stream is read: %v, all was sent: %v", err, s.sent())
	}
	must(t, stream.Close())
	must(t, s.Write(raw))
	_, _, err = s.Finish(t.Context())
	must(t, err)
}

// TestASlowStreamLosesThePlace stages a set by a stream that sends nothing. It is closed when the stage ends.
func TestASlowStreamLosesThePlace(t *testing.T) {
	d, clock := newStages(t)
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: 1000})
	must(t, err)
	waitFor(t, "the bound of the whole stage", clock.after)
	due := waitFor(t, "the bound of its progress", clock.after)
	stream := newSilent()
	must(t, s.TakeStream(stream, 1000))
	waitFor(t, "the first read", stream.reading)
	due <- clock.Now()
	waitFor(t, "its end", s.over)
	waitFor(t, "the end of the stream", stream.ended)
	if refusal.Of(s.err) != refusal.Stalled || d.ledger.place.isTaken() {
		t.Errorf("got %v, want %s", s.err, refusal.Stalled)
	}
}

// TestAStreamEndsWithItsStage ends stages whose streams have not been read to the end.
func TestAStreamEndsWithItsStage(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*Stage)
		want refusal.Reason
	}{
		"dropped": {(*Stage).Drop, refusal.Cancelled},
		"refused": {func(s *Stage) { s.Write(nil) }, refusal.BadArchive},
	} {
		d, _ := newStages(t)
		s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: 2000})
		must(t, err)
		stream := newSilent()
		from := struct {
			io.Reader
			io.Closer
		}{stream, stream}
		if c.want == refusal.BadArchive {
			from.Reader = io.MultiReader(bytes.NewReader(bytes.Repeat([]byte("x"), 1000)), stream)
		}
		must(t, s.TakeStream(from, 2000))
		c.end(s)
		waitFor(t, name+": its end", s.over)
		waitFor(t, name+": the end of the stream", stream.ended)
		if refusal.Of(s.err) != c.want {
			t.Errorf("%s: got %v, want %s", name, s.err, c.want)
		}
	}
}

// TestNoStreamIsTakenLate gives a stream to a stage that takes no more bytes, or whose archive comes as a file.
func TestNoStreamIsTakenLate(t *testing.T) {
	for name, end := range map[string]func(*Stage){
		"dropped": func(s *Stage) { s.Drop(); waitFor(t, "its end", s.over) },
		"done":    func(s *Stage) { s.Finish(t.Context()) },
		"a file":  func(s *Stage) { must(t, s.TakeFile(&file{Reader: bytes.NewReader(nil)})) },
	} {
		d, _ := newStages(t)
		s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: 1000})
		must(t, err)
		end(s)
		late := &file{Reader: bytes.NewReader(nil)}
		if err := s.TakeStream(late, 10); err == nil || late.closed.Load() != 1 {
			t.Errorf("%s: took a stream: %v, closed %d times", name, err, late.closed.Load())
		}
		waitFor(t, name+": its end", s.over)
	}
}
