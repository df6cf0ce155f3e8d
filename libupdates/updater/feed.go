package updater

import (
	"context"
	"errors"
	"io"

	"nexus/libupdates/nxs"
)

// A turn is what the archive goes on with in place of bytes that are written: a payload that is held, or bytes that are
// read from a stream.
type turn struct {
	held *nxs.HeldError
	from *inflow
}

// An inflow is a stream from which the next bytes of the archive are read.
type inflow struct {
	io.ReadCloser
	left int64
	over chan struct{} // closed when no more is read from it
}

// errStreams is for a sender that has two streams read at once.
var errStreams = errors.New("cannot take stream: another is being read")

// TakeStream has the next size bytes of the archive read from a stream, which the stage closes. It returns when that
// begins. Later calls wait for the last of these bytes, or the end of the stream.
func (s *Stage) TakeStream(from io.ReadCloser, size int64) error {
	in := &inflow{from, max(size, 0), make(chan struct{})}
	err := s.streamed(context.Background())
	if err == nil {
		err = s.admitStream(in)
	}
	if err == nil {
		s.writing.Add(1) // the sender waits for us
		err = s.insert(turn{from: in})
		s.writing.Add(-1)
	}
	if err != nil {
		from.Close()
	}
	return err
}

// admitStream makes a stream the one that the end of the stage closes.
func (s *Stage) admitStream(in *inflow) error {
	if !s.stream() {
		return errors.New("cannot take stream: the archive comes as a file")
	}
	s.patching.Lock()
	defer s.patching.Unlock()
	if s.arriving != nil {
		return errPatchComes
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.done:
		return ErrFinished
	case s.inflow != nil:
		return errStreams
	}
	s.inflow = in
	return nil
}

// insert has the archive go on with a turn, once all that was written is read.
func (s *Stage) insert(t turn) error {
	select {
	case s.turns <- t:
	case <-s.over:
		return errOver
	}
	_, err := s.in.Write(nil)
	return err
}

// streamed waits until no stream is read any more, so that the sender may go on. It waits for the sender.
func (s *Stage) streamed(ctx context.Context) error {
	s.mu.Lock()
	in := s.inflow
	s.mu.Unlock()
	if in == nil {
		return nil
	}
	select {
	case <-in.over:
		return nil
	case <-s.over:
		return errOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endStream ends the read that may be under way.
func (s *Stage) endStream() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inflow != nil {
		s.inflow.Close()
	}
}

// A feed is the archive of a stage as it comes. A write of no bytes makes room for a turn.
type feed struct {
	*io.PipeReader
	stage *Stage
	from  *inflow // nil: bytes come by Write
}

// Read implements io.Reader.
func (f *feed) Read(b []byte) (int, error) {
	if f.from != nil {
		return f.flow(b), nil
	}
	n, err := f.PipeReader.Read(b)
	if n > 0 || err != nil {
		return n, err
	}
	select {
	case t := <-f.stage.turns:
		if t.held != nil {
			return 0, t.held
		}
		f.from = t.from
		f.stage.writing.Add(1) // until it is read, the sender waits for us
	default:
	}
	return 0, nil
}

// flow reads from the stream. However it ends, the rest of the archive may come by Write.
func (f *feed) flow(b []byte) (n int) {
	s, in := f.stage, f.from
	s.writing.Add(-1)
	var err error
	if in.left > 0 {
		n, err = in.Read(b[:min(int64(len(b)), in.left)])
	}
	s.received.Add(int64(n))
	if in.left -= int64(n); err == nil && in.left > 0 {
		s.writing.Add(1)
		return n
	}
	f.from = nil
	s.mu.Lock()
	s.inflow = nil
	s.mu.Unlock()
	in.Close()
	close(in.over)
	return n
}
