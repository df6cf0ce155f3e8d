package digest

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// errMoot ends a job because an earlier one has failed. Run never returns it.
var errMoot = errors.New("an earlier stream has failed")

// pump processes one job: it reads while earlier pieces are written and hashed.
func (r *runner) pump(ctx context.Context, i int, hash seat, buffers *ring) error {
	j := r.jobs[i]
	var out writer
	var sum Sum
	var sides sync.WaitGroup
	var users []chan *piece
	use := func(times int, do func(pieces <-chan *piece)) {
		pieces := make(chan *piece, cap(buffers.free))
		users = append(users, pieces)
		for range times {
			sides.Go(func() { do(pieces) })
		}
	}
	if j.Write != nil {
		use(buffers.writes, func(pieces <-chan *piece) { out.run(j.Write, pieces) })
	}
	if j.Kinds&SHA256 != 0 {
		use(1, func(pieces <-chan *piece) { sum = hash.sum(pieces) })
	}
	if j.Kinds&Verity != 0 {
		use(1, func(pieces <-chan *piece) { j.tree.take(pieces) })
	}
	err := r.read(ctx, i, &out, buffers, users)
	for _, pieces := range users {
		close(pieces)
	}
	sides.Wait()
	if err = cmp.Or(err, out.err); err != nil {
		return err
	}
	return j.over(sum)
}

// read reads the job piece by piece and passes each to its users.
func (r *runner) read(ctx context.Context, i int, out *writer, buffers *ring, users []chan *piece) error {
	j := r.jobs[i]
	for off := int64(0); off < j.Size; {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case r.moot(i):
			return errMoot
		case out.failed.Load():
			return nil // the error is in out.err
		}
		p := buffers.take(j.Offset+off, j.Size-off)
		if err := j.Read(p.bytes, off); err != nil {
			buffers.free <- p
			return err
		}
		p.off, off = off, off+int64(len(p.bytes))
		p.pass(users)
	}
	return nil
}

// take hashes the pieces of a stream and releases each.
func (t *Tree) take(pieces <-chan *piece) {
	for p := range pieces {
		t.Write(p.bytes)
		p.release()
	}
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
