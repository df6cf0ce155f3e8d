package updated

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// What a stage has to do to keep the one place there is for it.
const (
	stallPatience = time.Minute      // in each of these
	leastProgress = 256 << 10        // so many bytes have to come, or all that are left
	stageGrace    = 10 * time.Minute // the whole stage may take this
	leastRate     = 16 << 10         // and a second more for so many bytes of the archive
)

// longest is how long the archive of a stage may take to come.
func longest(size int64) time.Duration {
	return stageGrace + time.Duration(size/leastRate)*time.Second
}

// A stage is one archive on its way into the standby slot. It ends in exactly one of three ways: staged, refused, or
// dropped.
type stage struct {
	engine   *engine
	operator bool // who sends it may take it up
	progress *progress
	size     int64
	in       *io.PipeWriter
	cancel   context.CancelCauseFunc
	received atomic.Int64  // bytes
	writing  atomic.Int32  // chunks that are being taken
	streams  chan struct{} // closed when it is known that the archive comes by write
	handed   chan *os.File // the archive, where it comes as a file
	over     chan struct{} // closed when the outcome is known

	// The outcome, valid after over is closed.
	serial uint64
	reused int64 // bytes of payloads
	err    error

	mu     sync.Mutex
	way    way
	ticket []byte // what a file for this stage must come with; nil until it was asked for
	done   bool   // the sender said that all was sent
}

// begin takes the one place for a stage, or refuses.
func (e *engine) begin(size int64) error {
	r := e.snapshot()
	switch {
	case r.Pending != bootctl.None:
		return refusal.New(refusal.TrialInProgress, "slot %s is on trial", r.Pending)
	case size > e.limits.Archive:
		return refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", size,
			e.limits.Archive)
	}
	return e.takePlace()
}

// takePlace takes the right to write the standby slot, which one has at a time.
func (e *engine) takePlace() error {
	e.steps.Lock()
	defer e.steps.Unlock()
	if e.isStaging() {
		return refusal.New(refusal.StageInProgress, "another stage is under way")
	}
	if err := e.settle(); err != nil { // a start must not go by a record in which this slot is the active one
		return err
	}
	e.setStaging(true)
	return nil
}

// end gives the place back.
func (e *engine) end() { e.setStaging(false) }

func (e *engine) setStaging(staging bool) {
	e.mu.Lock()
	e.staging = staging
	e.mu.Unlock()
	e.changed.Notify()
}

// errStopping is why a stage ends with its daemon, or does not begin.
var errStopping = refusal.New(refusal.Cancelled, "updated is stopping")

// enter counts a stage in, unless the daemon is about to end.
func (e *engine) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.stopping {
		e.stages.Add(1)
	}
	return !e.stopping
}

// stop waits for the stages under way, after whose life it is called, and lets none begin.
func (e *engine) stop() {
	e.mu.Lock()
	e.stopping = true
	e.mu.Unlock()
	e.stages.Wait()
}

// startStage starts to receive an archive of the given size, until life ends, in the place that begin took. It takes
// the observer over.
func (e *engine) startStage(life context.Context, size int64, observer update.StageProgress,
	operator bool) (*stage, error) {
	if !e.enter() {
		e.end()
		observer.Release()
		return nil, errStopping
	}
	ctx, cancel := context.WithCancelCause(life)
	out, in := io.Pipe()
	s := &stage{
		engine: e, operator: operator, size: size, in: in, cancel: cancel,
		progress: newProgress(observer, size),
		streams:  make(chan struct{}),
		handed:   make(chan *os.File, 1),
		over:     make(chan struct{}),
	}
	e.setStage(s)
	go s.watchStall(ctx, e.clock)
	go func() {
		defer e.stages.Done()
		s.receive(ctx, out)
	}()
	return s, nil
}

// receive verifies and writes the archive as it comes, then makes it what is staged.
func (s *stage) receive(ctx context.Context, out *io.PipeReader) {
	defer s.cancel(nil)
	stop := context.AfterFunc(ctx, func() { out.CloseWithError(context.Cause(ctx)) })
	defer stop()

	subject, serial, err := s.install(ctx, out)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // the pipe's end is only how it was noticed
	}
	if errors.Is(err, context.Canceled) {
		err = errStopping
	}
	subject.size = uint64(s.size)
	s.serial, s.reused, s.err = serial, subject.reused, err
	s.engine.audit("stage", subject, err)
	s.takeNoMore()
	s.engine.setStage(nil)
	if s.operator && s.err == nil {
		s.engine.holdPlace()
	}
	s.engine.end()
	s.progress.close()
	close(s.over)
	out.CloseWithError(errOver) // wakes a sender that still writes
}

// errOver is what a sender gets that writes on after the outcome is known. done() has the reason.
var errOver = errors.New("the stage is over")

// install brings an archive into a slot: verified while it is written, durable, and then in the record.
func (e *engine) install(ctx context.Context, slot bootctl.Slot, archive arrival,
	p *progress) (subject, uint64, error) {
	to := subject{slot: slot}
	var set bootctl.Content
	err := archive(ctx, slot, slots.StageOptions{
		Admit: func(head *nxs.Head) error {
			to.version, to.digest = head.Index.SystemVersion, head.Digest
			set = e.candidate(head.Digest, head.Index)
			_, err := e.snapshot().Receive(slot, set)
			if refusal.Of(err) == refusal.AlreadyActive {
				return nil // said once the whole archive is verified: one that is damaged is refused for that
			}
			return err
		},
		AdmitBundle: func(x nxs.Index, m nxb.Manifest) error { return x.CheckDemands(m, nxb.SDK) },
		Verified:    func() error { return e.moveOn(slot, set) },
		Progress: func(now slots.Progress) {
			to.reused = now.Reused
			p.report(now)
		},
	})
	e.touched()
	if err != nil {
		return to, 0, err
	}
	if err := e.readSlots(); err != nil {
		return to, 0, err
	}
	var serial uint64
	err = e.change(func(r bootctl.Record) (bootctl.Record, error) {
		next, n, err := r.Stage(set)
		serial = n
		return next, err
	})
	return to, serial, err
}

// moveOn ends a watch, durably, when a verified set is about to take the place of what the watch would go back to.
func (e *engine) moveOn(slot bootctl.Slot, set bootctl.Content) error {
	now := e.snapshot()
	if _, err := now.Receive(slot, set); err != nil || now.WatchLeft == 0 {
		return err
	}
	return e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Receive(slot, set) })
}

// write takes the next bytes; it returns once they were taken into the check, at most 4 MiB ahead of the disk, or the
// stage is over.
func (s *stage) write(b []byte) error {
	if len(b) > int(update.MaxChunkBytes) {
		return errors.New("cannot take chunk: it is over 1 MiB")
	}
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

// finish waits for the outcome after the last byte.
func (s *stage) finish(ctx context.Context) (serial uint64, reused int64, err error) {
	s.stream()
	s.mu.Lock()
	again := s.done
	s.done = true
	s.mu.Unlock()
	if again {
		return 0, 0, errAgain
	}
	s.in.Close()
	select {
	case <-s.over:
		return s.serial, s.reused, s.err
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

// errAgain is for a sender that says twice that all was sent.
var errAgain = errors.New("cannot finish stage: done was called before")

// drop discards the stage unless the sender said that all was sent. Of a file a sender can say so at once, so that is
// not enough: the stage goes on as long as somebody waits for its outcome.
func (s *stage) drop() {
	s.mu.Lock()
	sent := s.done && s.way == byWrite
	s.mu.Unlock()
	if !sent {
		s.cancel(refusal.New(refusal.Cancelled, "the sender went away before the end"))
	}
}

// watchStall discards the stage when its sender is too slow: no sender keeps the one place for long by sending next to
// nothing.
func (s *stage) watchStall(ctx context.Context, clock plat.Clock) {
	over := clock.After(longest(s.size))
	for had := int64(0); ; {
		select {
		case <-clock.After(stallPatience):
			now, wanted := s.received.Load(), max(min(leastProgress, s.size-had), 1)
			switch {
			case s.sent():
				return // what remains is our own work
			case s.writing.Load() == 0 && now-had < wanted: // else the sender waits for us
				s.cancel(refusal.New(refusal.Stalled, "%d bytes came in %s, at least %d have to", now-had,
					stallPatience, wanted))
				return
			}
			had = now
		case <-over:
			if !s.sent() {
				s.cancel(refusal.New(refusal.Stalled, "%d of %d bytes came in %s", s.received.Load(), s.size,
					longest(s.size)))
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

// A sinkServer is the StageSink capability of one stage.
type sinkServer struct {
	stage *stage
}

// Write hands on the next bytes. It does not acknowledge early: one chunk at a time is how a fast sender is held back.
func (s *sinkServer) Write(_ context.Context, call update.StageSink_write) error {
	b, err := call.Args().Bytes()
	if err != nil {
		return err
	}
	return s.stage.write(b)
}

// Done waits for the outcome.
func (s *sinkServer) Done(ctx context.Context, call update.StageSink_done) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	serial, reused, err := s.stage.finish(ctx)
	if errors.Is(err, errAgain) {
		return err
	}
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetReusedBytes(uint64(reused))
	return res.SetSystem(s.stage.engine.stagedSystem(serial))
}

// Ticket says with which ticket a file has to come.
func (s *sinkServer) Ticket(_ context.Context, call update.StageSink_ticket) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	ticket, err := s.stage.drawTicket()
	if err != nil {
		return err
	}
	return res.SetTicket(ticket)
}

// Shutdown runs when the sender dropped the sink, or died.
func (s *sinkServer) Shutdown() { s.stage.drop() }
