package updater

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// A handClock is moved by hand; what waits for it waits until then.
type handClock struct {
	now   atomic.Int64
	after chan chan time.Time
}

func newHandClock() *handClock { return &handClock{after: make(chan chan time.Time, 16)} }

func (c *handClock) Now() time.Time { return time.Unix(0, c.now.Load()) }

func (c *handClock) After(time.Duration) <-chan time.Time {
	due := make(chan time.Time, 1)
	c.after <- due
	return due
}

func (c *handClock) pass(d time.Duration) { c.now.Add(int64(d)) }

// waitFor returns what comes, or ends the test.
func waitFor[T any](t *testing.T, what string, comes <-chan T) T {
	t.Helper()
	select {
	case got := <-comes:
		return got
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: it never came", what)
		panic("unreachable")
	}
}

// newStages is a device with a clock that is moved by hand.
func newStages(t *testing.T) (*device, *handClock) {
	t.Helper()
	d, clock := newDevice(t), newHandClock()
	d.config.Clock = clock
	must(t, d.open())
	return d, clock
}

// heard is a progress that counts.
type heard struct{ reports, closed atomic.Int32 }

func (h *heard) Report(slots.Progress) { h.reports.Add(1) }
func (h *heard) Close()                { h.closed.Add(1) }

// impatient is the context of a sender that does not wait for the place of a stage.
func impatient() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestAStageIsReceived(t *testing.T) {
	d, _ := newStages(t)
	raw, progress := archive(t, false), &heard{}
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw)), Progress: progress})
	must(t, err)
	if _, err := d.Stage(impatient(), Request{Life: t.Context(), Size: 1}); refusal.Of(err) != refusal.StageInProgress {
		t.Errorf("a second stage: %v, want %s", err, refusal.StageInProgress)
	}
	must(t, s.Write(raw[:1000]))
	must(t, s.Write(nil))
	must(t, s.Write(raw[1000:]))
	late := &file{Reader: bytes.NewReader(nil)}
	if err := s.TakeFile(late); err == nil || late.closed.Load() != 1 {
		t.Errorf("a file for an archive that comes by write: %v, closed %d times", err, late.closed.Load())
	}
	serial, _, err := s.Finish(t.Context())
	must(t, err)
	if _, _, err := s.Finish(t.Context()); !errors.Is(err, ErrFinished) {
		t.Errorf("finished twice: %v", err)
	}
	if progress.reports.Load() == 0 || progress.closed.Load() != 1 {
		t.Errorf("progress was reported %d times, closed %d times", progress.reports.Load(), progress.closed.Load())
	}
	set, err := d.Describe(serial)
	must(t, err)
	if staged, err := d.Staged(); err != nil || staged != serial || set.Version != "1.2.0" || len(set.Bundles) != 1 {
		t.Errorf("staged is %d (%v), %+v", staged, err, set)
	}
	if _, err := d.Describe(serial - 1); refusal.Of(err) != refusal.Stale {
		t.Errorf("another stage is described: %v", err)
	}
}

func TestARefusedStageTellsItsSender(t *testing.T) {
	d, _ := newStages(t)
	progress := &heard{}
	size := uint64(d.Staging.cfg.Limits.Archive) + 1
	_, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: size, Progress: progress})
	if refusal.Of(err) != refusal.ArchiveTooLarge || progress.closed.Load() != 1 || d.ledger.place.isTaken() {
		t.Errorf("got %v, progress closed %d times", err, progress.closed.Load())
	}
	if _, err := d.Staged(); refusal.Of(err) != refusal.NothingStaged {
		t.Errorf("got %v, want %s", err, refusal.NothingStaged)
	}
}

// An awaited context tells when somebody waits for its end.
type awaited struct {
	context.Context
	once  sync.Once
	waits chan struct{}
}

func (a *awaited) Done() <-chan struct{} {
	a.once.Do(func() { close(a.waits) })
	return a.Context.Done()
}

func TestASlowSenderLosesThePlace(t *testing.T) {
	for name, send := range map[string]func(*Stage){
		"nothing comes": func(*Stage) {},
		"little comes":  func(s *Stage) { must(t, s.Write(make([]byte, 10))) },
		"a payload is asked for": func(s *Stage) {
			asks := &awaited{Context: t.Context(), waits: make(chan struct{})}
			go s.Reuse(asks, nxs.Digest{})
			waitFor(t, "the question", asks.waits)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, clock := newStages(t)
			s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: 1000})
			must(t, err)
			send(s)
			waitFor(t, "the bound of the whole stage", clock.after)
			waitFor(t, "the bound of its progress", clock.after) <- clock.Now()
			waitFor(t, "its end", s.over)
			if refusal.Of(s.err) != refusal.Stalled || d.ledger.place.isTaken() {
				t.Errorf("got %v, want %s", s.err, refusal.Stalled)
			}
		})
	}
}

// A slow admission decides once it may.
type slow struct{ asked, may chan struct{} }

func (a slow) Admit(context.Context, []byte, []byte) error {
	close(a.asked)
	<-a.may
	return nil
}

func (slow) TakeRoots(context.Context, []byte, []Installed) error { return nil }

// TestASenderWaitsWhileASetIsAdmitted takes longer over the head of a set than its sender may: that does not count.
func TestASenderWaitsWhileASetIsAdmitted(t *testing.T) {
	d, clock := newStages(t)
	admission := slow{make(chan struct{}), make(chan struct{})}
	d.config.Admission = admission
	must(t, d.open())
	raw := archive(t, false)
	head := bytes.Index(raw, []byte("notes.nxb/")) + nxs.BlockSize
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw))})
	must(t, err)
	must(t, s.Write(raw[:head]))
	waitFor(t, "the question", admission.asked)
	waitFor(t, "the bound of the whole stage", clock.after)
	waitFor(t, "the bound of its progress", clock.after) <- clock.Now()
	waitFor(t, "the next bound", clock.after)
	close(admission.may)
	must(t, s.Write(raw[head:]))
	_, _, err = s.Finish(t.Context())
	must(t, err)
}

func TestADroppedStageIsOver(t *testing.T) {
	d, _ := newStages(t)
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: 1000})
	must(t, err)
	must(t, s.Write(make([]byte, 10)))
	s.Drop()
	waitFor(t, "its end", s.over)
	if refusal.Of(s.err) != refusal.Cancelled || d.ledger.place.isTaken() {
		t.Errorf("got %v, want %s", s.err, refusal.Cancelled)
	}
}

// TestThePlaceIsKeptForOperators has an operator stage, and end a stage: for a while, those who may only stage are
// refused.
func TestThePlaceIsKeptForOperators(t *testing.T) {
	for name, take := range map[string]func(*testing.T, *device){
		"staged": func(t *testing.T, d *device) {
			raw := archive(t, false)
			s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw)), Operator: true})
			must(t, err)
			must(t, s.Write(raw))
			_, _, err = s.Finish(t.Context())
			must(t, err)
		},
		"ended": func(t *testing.T, d *device) {
			s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: 1})
			must(t, err)
			ended, err := d.EndStage(t.Context())
			must(t, err)
			if !ended || refusal.Of(s.err) != refusal.Cancelled {
				t.Errorf("ended is %t: %v", ended, s.err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, clock := newStages(t)
			take(t, d)
			wanted := Request{Life: t.Context(), Size: 1}
			clock.pass(holdOff - 1)
			if _, err := d.Stage(t.Context(), wanted); refusal.Of(err) != refusal.StageInProgress {
				t.Errorf("got %v, want %s", err, refusal.StageInProgress)
			}
			clock.pass(1)
			s, err := d.Stage(t.Context(), wanted)
			must(t, err)
			s.Drop()
		})
	}
}

// A file is an archive that somebody else opened.
type file struct {
	*bytes.Reader
	closed atomic.Int32
}

func (f *file) Close() error { f.closed.Add(1); return nil }

// TestAFileIsTaken gives a stage two files: it takes the first, and no bytes beside it.
func TestAFileIsTaken(t *testing.T) {
	d, _ := newStages(t)
	raw := archive(t, false)
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw))})
	must(t, err)
	first, second := &file{Reader: bytes.NewReader(raw)}, &file{Reader: bytes.NewReader(nil)}
	must(t, s.TakeFile(first))
	if err := s.Write([]byte{1}); err == nil {
		t.Error("bytes were taken for an archive that comes as a file")
	}
	if err := s.TakeFile(second); err == nil {
		t.Error("a second file was taken")
	}
	_, _, err = s.Finish(t.Context())
	must(t, err)
	if first.closed.Load() != 1 || second.closed.Load() != 1 {
		t.Errorf("closed %d, %d times", first.closed.Load(), second.closed.Load())
	}
}

// TestNoFileIsTakenLate gives a file to a stage that is over, and to one whose sender said that all was sent.
func TestNoFileIsTakenLate(t *testing.T) {
	for name, end := range map[string]func(*Stage){
		"dropped": func(s *Stage) { s.Drop() },
		"done":    func(s *Stage) { s.Finish(t.Context()) },
	} {
		d, _ := newStages(t)
		s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: 1000})
		must(t, err)
		end(s)
		waitFor(t, "its end", s.over)
		late := &file{Reader: bytes.NewReader(nil)}
		if err := s.TakeFile(late); err == nil || late.closed.Load() != 1 {
			t.Errorf("%s: took a file: %v, closed %d times", name, err, late.closed.Load())
		}
	}
}
