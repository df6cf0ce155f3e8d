package updater

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// A Request is a sender's wish to stage an archive.
type Request struct {
	Life     context.Context // the stage ends with it
	Size     uint64          // of the archive, as the sender says
	Progress Progress        // closed with the stage, or when it is refused; nil: nobody listens
	Operator bool            // the sender may switch to what it stages
}

// A Stage is one archive on its way into the standby slot. It ends in exactly one of three ways: staged, refused, or
// dropped.
type Stage struct {
	engine   *Engine
	operator bool
	progress Progress
	size     int64
	in       *io.PipeWriter
	cancel   context.CancelCauseFunc
	received atomic.Int64  // bytes
	writing  atomic.Int32  // chunks that are being taken
	streams  chan struct{} // closed when it is known that the archive comes by Write
	file     chan File     // the archive, where it comes as a file
	over     chan struct{} // closed when the outcome is known

	// The outcome, valid after over is closed.
	serial uint64
	reused int64
	err    error

	mu   sync.Mutex
	way  way
	done bool // the sender said that all was sent
}

// Stage starts to receive an archive, or refuses to, with an audit record. The context bounds how long it waits for the
// place of a stage that is about to end.
func (e *Engine) Stage(ctx context.Context, r Request) (*Stage, error) {
	if r.Progress == nil {
		r.Progress = unheard{}
	}
	s, err := e.admit(ctx, r)
	if err != nil {
		r.Progress.Close()
		e.audit("stage", Audit{Slot: e.Record().Standby(), Size: r.Size}, err)
	}
	return s, err
}

func (e *Engine) admit(ctx context.Context, r Request) (*Stage, error) {
	if r.Size > uint64(e.cfg.Limits.Archive) {
		return nil, e.tooLarge(r.Size)
	}
	if err := e.heldOff(); err != nil && !r.Operator {
		return nil, err
	}
	e.awaitPlace(ctx)
	if err := e.begin(int64(r.Size)); err != nil {
		return nil, err
	}
	return e.start(r)
}

// start receives the archive in the place that begin took.
func (e *Engine) start(r Request) (*Stage, error) {
	if !e.enter() {
		e.end()
		return nil, errStopping
	}
	ctx, cancel := context.WithCancelCause(r.Life)
	out, in := io.Pipe()
	s := &Stage{
		engine: e, operator: r.Operator, size: int64(r.Size), in: in, cancel: cancel, progress: r.Progress,
		streams: make(chan struct{}),
		file:    make(chan File, 1),
		over:    make(chan struct{}),
	}
	e.setStage(s)
	go s.watchStall(ctx, e.cfg.Clock)
	go func() {
		defer e.stages.Done()
		s.receive(ctx, out)
	}()
	return s, nil
}

// errStopping is why a stage ends with its engine, or does not begin.
var errStopping = refusal.New(refusal.Cancelled, "updated is stopping")

// enter counts a stage in, unless the engine is stopping.
func (e *Engine) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.stopping {
		e.stages.Add(1)
	}
	return !e.stopping
}

// Stop lets no stage begin, and waits for those under way, which their Life has ended. After it the slots may have
// another writer.
func (e *Engine) Stop() {
	e.mu.Lock()
	e.stopping = true
	e.mu.Unlock()
	e.stages.Wait()
}

// receive verifies and writes the archive as it comes, then makes it what is staged.
func (s *Stage) receive(ctx context.Context, out *io.PipeReader) {
	defer s.cancel(nil)
	stop := context.AfterFunc(ctx, func() { out.CloseWithError(context.Cause(ctx)) })
	defer stop()

	what, serial, err := s.install(ctx, out)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // the pipe's end is only how it was noticed
	}
	if errors.Is(err, context.Canceled) {
		err = errStopping
	}
	what.Size = uint64(s.size)
	s.serial, s.reused, s.err = serial, what.Reused, err
	s.engine.audit("stage", what, err)
	s.takeNoMore()
	s.engine.setStage(nil)
	if s.operator && s.err == nil {
		s.engine.holdPlace()
	}
	s.engine.end()
	s.progress.Close()
	close(s.over)
	out.CloseWithError(errOver) // wakes a sender that still writes
}

// errOver is for a sender that writes on after the outcome is known. Finish has the reason.
var errOver = errors.New("the stage is over")

// Write takes the next bytes. It returns once they are in the check, at most 4 MiB ahead of the disk, or the stage is
// over.
func (s *Stage) Write(b []byte) error {
	if !s.stream() {
		return errors.New("cannot take chunk: the archive comes as a file")
	}
	if len(b) == 0 {
		return nil
	}
	s.writing.Add(1)
	n, err := s.in.Write(b)
	s.received.Add(int64(n))
	s.writing.Add(-1)
	return err
}

// Finish waits for the outcome after the last byte: the number of what is staged, and how many bytes of its payloads
// were in place already.
func (s *Stage) Finish(ctx context.Context) (serial uint64, reused int64, err error) {
	s.stream()
	s.mu.Lock()
	again := s.done
	s.done = true
	s.mu.Unlock()
	if again {
		return 0, 0, ErrFinished
	}
	s.in.Close()
	select {
	case <-s.over:
		return s.serial, s.reused, s.err
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

// ErrFinished is for a sender that says twice that all was sent.
var ErrFinished = errors.New("cannot finish stage: done was called before")

// Drop discards the stage unless the sender said that all was sent. Of a file a sender can say so at once, so that is
// not enough: the stage goes on as long as somebody waits for its outcome.
func (s *Stage) Drop() {
	s.mu.Lock()
	sent := s.done && s.way == byWrite
	s.mu.Unlock()
	if !sent {
		s.cancel(refusal.New(refusal.Cancelled, "the sender went away before the end"))
	}
}

// unheard is the progress of a stage that nobody listens to.
type unheard struct{}

func (unheard) Report(slots.Progress) {}
func (unheard) Close()                {}
