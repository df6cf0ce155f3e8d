package digest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// errMoot ends a stream because an earlier one has failed. Run never returns it.
var errMoot = errors.New("an earlier stream has failed")

// pump processes one stream: it reads while earlier pieces are written and hashed.
func (r *runner) pump(ctx context.Context, i int, hash seat, buffers *ring) error {
	s := r.streams[i]
	var out writer
	var sides sync.WaitGroup
	toWrite, toHash := make(chan *piece, cap(buffers.free)), make(chan *piece, cap(buffers.free))
	if s.Write != nil {
		for range buffers.writes {
			sides.Go(func() { out.run(s.Write, toWrite) })
		}
	}
	var sum Sum
	sides.Go(func() { sum = hash.sum(toHash) })
	err := func() error {
		for off := int64(0); off < s.Size; {
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case r.moot(i):
				return errMoot
			case out.failed.Load():
				return nil // the error is in out.err
			}
			p := buffers.take(s.Offset+off, s.Size-off)
			if err := s.Read(p.bytes, off); err != nil {
				buffers.free <- p
				return err
			}
			p.off, off = off, off+int64(len(p.bytes))
			p.hold(toHash, toWrite, s.Write != nil)
		}
		return nil
	}()
	close(toHash)
	close(toWrite)
	sides.Wait()
	switch {
	case err != nil:
		return err
	case out.err != nil:
		return out.err
	case s.Check != nil:
		return s.Check(sum)
	}
	return nil
}

// A writer writes the pieces of one stream. After an error it drops the rest.
type writer struct {
	failed atomic.Bool
	once   sync.Once
	err    error // the first error; valid after run has returned
}

func (w *writer) run(write func(p []byte, off int64) error, pieces <-chan *piece) {
	for p := range pieces {
		if !w.failed.Load() {
			if err := write(p.bytes, p.off); err != nil {
				w.once.Do(func() { w.err = err })
				w.failed.Store(true)
			}
		}
		p.release()
	}
}
