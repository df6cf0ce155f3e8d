package updater

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// A Request is a sender's wish to stage an archive.
type Request struct {
	Life     context.Context // the stage ends with it
	Size     uint64          // of the archive, as the sender says
	Progress Progress        // closed with the stage, or when it is refused; nil: nobody listens
	Operator bool            // the sender may switch to what it stages
	Resume   bool            // what was received is kept when the stage ends early, for one that goes on with it
	Terms    Terms
}

// Terms are the sender's own conditions for a set.
type Terms struct {
	Older bool                  // it may be older than the one that runs, if Others agree
	Admit func(nxs.Index) error // refuses a set that the sender may not bring; nil: it may bring any
}

// A Stage is one archive on its way to be the staged set. It ends in exactly one of three ways: staged, refused, or
// dropped.
type Stage struct {
	owner    *Staging
	log      journal
	operator bool
	resume   bool
	terms    Terms
	progress Progress
	size     int64
	in       *io.PipeWriter
	turns    chan turn // what the next write stands for, which is of no bytes
	cancel   context.CancelCauseFunc
	received atomic.Int64  // bytes
	writing  atomic.Int32  // above 0: the sender waits for us
	streams  chan struct{} // closed when it is known that the archive comes by Write
	file     chan File     // the archive, where it comes as a file
	begun    chan struct{} // closed when here is valid
	here     slots.Here
	over     chan struct{} // closed when the outcome is known

	// The outcome, valid after over is closed.
	serial  uint64
	inPlace int64
	err     error

	// What the sender has taken in place of bytes of payloads. Its calls come one at a time; the stage waits for the
	// one under way when it ends.
	patching    sync.Mutex
	reused      nxs.Digest      // the payload that was asked for last
	reusedBytes int64           // of it that were here
	arriving    *slots.Arriving // the patch that the next bytes are of; nil: they are of the archive
	ended       bool            // it takes no more

	mu     sync.Mutex
	at     slots.Progress
	way    way
	done   bool    // the sender said that all was sent
	inflow *inflow // where bytes are read from that are not written; nil: nowhere
}

// Staging takes archives in, one at a time, and switches to what is staged.
type Staging struct {
	ledger    *ledger
	inspector *inspector
	intake    *intake
	slots     *inventory
	place     *place
	log       journal
	cfg       *Config

	switches sync.Mutex // one at a time checks what is staged, and switches to it
	running  sync.WaitGroup

	mu       sync.Mutex
	stage    *Stage                 // the one under way
	stopping bool                   // no stage begins any more
	waiters  map[chan struct{}]bool // those in UntilEnded
}

// Stage starts to receive an archive, or refuses to, with an audit record. The context bounds how long it waits for the
// place of a stage that is about to end.
func (g *Staging) Stage(ctx context.Context, r Request) (*Stage, error) {
	if r.Progress == nil {
		r.Progress = unheard{}
	}
	s, err := g.admit(ctx, r)
	if err != nil {
		r.Progress.Close()
		g.log.by(ctx).step("stage", Audit{Slot: g.ledger.Record().Standby(), Size: r.Size}, err)
	}
	return s, err
}

func (g *Staging) admit(ctx context.Context, r Request) (*Stage, error) {
	if r.Size > uint64(g.cfg.Limits.Archive) {
		return nil, refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", r.Size,
			g.cfg.Limits.Archive)
	}
	if err := g.place.heldOff(); err != nil && !r.Operator {
		return nil, err
	}
	g.place.await(ctx)
	if err := g.begin(); err != nil {
		return nil, err
	}
	return g.start(r, g.log.by(ctx))
}

// begin takes the place for an archive.
func (g *Staging) begin() error {
	if r := g.ledger.Record(); r.Pending != bootctl.None {
		return refusal.New(refusal.TrialInProgress, "slot %s is on trial", r.Pending)
	}
	if err := g.cfg.busy(); err != nil {
		return err
	}
	return g.ledger.takePlace()
}

// start receives the archive in the place that begin took.
func (g *Staging) start(r Request, log journal) (*Stage, error) {
	ctx, cancel := context.WithCancelCause(r.Life)
	out, in := io.Pipe()
	s := &Stage{
		owner: g, log: log, operator: r.Operator, resume: r.Resume, terms: r.Terms,
		size: int64(r.Size), in: in, cancel: cancel,
		streams: make(chan struct{}),
		begun:   make(chan struct{}),
		file:    make(chan File, 1),
		turns:   make(chan turn, 1),
		over:    make(chan struct{}),
	}
	s.progress = noted{s, r.Progress}
	if !g.enter(s) {
		cancel(errStopping)
		g.place.end()
		return nil, errStopping
	}
	go s.watchStall(ctx, g.cfg.Clock)
	go func() {
		defer g.running.Done()
		s.receive(ctx, out)
	}()
	return s, nil
}

// errStopping is why a stage ends with its engine, or does not begin.
var errStopping = refusal.New(refusal.Cancelled, "updated is stopping")

// enter makes a stage the one under way, unless the engine is stopping.
func (g *Staging) enter(s *Stage) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return false
	}
	g.stage = s
	g.running.Add(1)
	return true
}

// leave notes that no stage is under way.
func (g *Staging) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stage = nil
}

// current returns the stage under way, or nil.
func (g *Staging) current() *Stage {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stage
}

// Stop lets no stage begin, and waits for those under way, which their Life has ended. After it the slots may have
// another writer.
func (g *Staging) Stop() {
	g.mu.Lock()
	g.stopping = true
	g.mu.Unlock()
	g.running.Wait()
}

// receive verifies and writes the archive as it comes, then makes it what is staged.
func (s *Stage) receive(ctx context.Context, out *io.PipeReader) {
	defer s.cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		out.CloseWithError(context.Cause(ctx))
		s.endStream()
	})
	defer stop()

	what, serial, err := s.install(ctx, &feed{PipeReader: out, stage: s})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // the pipe's end is only how it was noticed
	}
	if errors.Is(err, context.Canceled) {
		err = errStopping
	}
	what.Size = uint64(s.size)
	s.serial, s.inPlace, s.err = serial, what.Reused, err
	s.log.step("stage", what, err)
	out.CloseWithError(errOver) // wakes a sender that still writes
	s.endStream()
	s.cancel(nil)
	s.endPatch()
	s.takeNoMore()
	s.owner.leave()
	if s.operator && s.err == nil {
		s.owner.place.hold()
	}
	s.owner.place.end()
	s.progress.Close()
	close(s.over)
}

// errOver is for a sender that writes on after the outcome is known. Finish has the reason.
var errOver = errors.New("the stage is over")

// Write takes the next bytes. It returns once they are in the check, at most 4 MiB ahead of the disk, or the stage is
// over.
func (s *Stage) Write(b []byte) error {
	if !s.stream() {
		return errors.New("cannot take chunk: the archive comes as a file")
	}
	if err := s.streamed(context.Background()); err != nil {
		return err
	}
	s.writing.Add(1)
	defer s.writing.Add(-1)
	b, err := s.takePatch(b)
	if err != nil || len(b) == 0 {
		return err
	}
	n, err := s.in.Write(b)
	s.received.Add(int64(n))
	return err
}

// Finish waits for the outcome after the last byte: the number of what is staged, and how many bytes of its payloads
// were in place already.
func (s *Stage) Finish(ctx context.Context) (serial uint64, reused int64, err error) {
	s.stream()
	if err := s.streamed(ctx); err != nil && ctx.Err() != nil {
		return 0, 0, err
	}
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
		return s.serial, s.inPlace, s.err
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

// noted keeps how far a stage is.
type noted struct {
	stage *Stage
	Progress
}

// Report implements Progress.
func (n noted) Report(now slots.Progress) {
	n.stage.mu.Lock()
	n.stage.at = now
	n.stage.mu.Unlock()
	n.Progress.Report(now)
}

// reached is how far the stage is.
func (s *Stage) reached() slots.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// unheard is the progress of a stage that nobody listens to.
type unheard struct{}

func (unheard) Report(slots.Progress) {}
func (unheard) Close()                {}
