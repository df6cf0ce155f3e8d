package fetchd

import (
	"context"
	"os"
	"time"

	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
)

// leastStreamed is of how many bytes a payload goes through a pipe: to open one takes a call.
const leastStreamed = pieceBytes

// A stage is the io.Writer of a sink: it writes messages, or to a pipe while one is open.
type stage struct {
	ctx     context.Context
	sink    *updateclient.Sink
	holding *vat.Holding // by which the stage began

	stream *os.File    // nil: none is open
	left   int64       // bytes that belong into it
	stop   func() bool // ends the watch over ctx
}

// open has the next size bytes go through a pipe.
func (s *stage) open(size int64) error {
	stream, err := s.sink.Stream(s.ctx, s.holding, size)
	if err != nil {
		return &stageError{err}
	}
	if stream == nil {
		return nil
	}
	s.stream, s.left = stream, size
	s.stop = context.AfterFunc(s.ctx, func() { stream.SetWriteDeadline(time.Unix(1, 0)) })
	return nil
}

// close closes the pipe, if one is open.
func (s *stage) close() {
	if s.stream == nil {
		return
	}
	s.stop()
	s.stream.Close()
	s.stream = nil
}

// Write implements io.Writer.
func (s *stage) Write(b []byte) (int, error) {
	if s.stream == nil {
		if err := s.sink.Write(s.ctx, b); err != nil {
			return 0, &stageError{err}
		}
		return len(b), nil
	}
	n, err := s.stream.Write(b[:min(int64(len(b)), s.left)])
	if s.left -= int64(n); err != nil {
		return n, &stageError{err}
	}
	if s.left == 0 {
		s.close()
	}
	if n == len(b) {
		return n, nil
	}
	more, err := s.Write(b[n:])
	return n + more, err
}
