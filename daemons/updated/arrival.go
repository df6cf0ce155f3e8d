package updated

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"nexus/daemons/plat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// archiveFile is what a handed file is good for (daemons/initd).
const archiveFile = "archive"

// ticketBytes is the size of a ticket (schema/update.capnp).
const ticketBytes = 16

// An arrival stages an archive, however it comes.
type arrival func(context.Context, bootctl.Slot, slots.StageOptions) error

// fromStream is an archive whose bytes come one after the other.
func (e *engine) fromStream(r io.Reader, size int64) arrival {
	return func(ctx context.Context, slot bootctl.Slot, opt slots.StageOptions) error {
		_, err := e.store.Stage(ctx, slot, nxs.NewReader(r, size, e.limits, verifyBy(ctx, e.verifier)), opt)
		return err
	}
}

// fromFile is an archive that lies in a file, which may be anybody's: each of its bytes is read once, and believed when
// it is verified.
func (e *engine) fromFile(f io.ReaderAt, size int64) arrival {
	return func(ctx context.Context, slot bootctl.Slot, opt slots.StageOptions) error {
		_, err := e.store.StageFile(ctx, slot, f, size, e.limits, verifyBy(ctx, e.verifier), opt)
		return err
	}
}

// A way is how an archive comes.
type way uint8

const (
	unknown way = iota
	byWrite
	byTicket // as a file that is not here yet
	byFile
)

// install waits until it is known how the archive comes, and takes it in.
func (s *stage) install(ctx context.Context, out io.Reader) (subject, uint64, error) {
	standby := s.engine.snapshot().Standby()
	select {
	case <-s.streams:
		return s.engine.install(ctx, standby, s.engine.fromStream(out, s.size), s.progress)
	case f := <-s.handed:
		defer f.Close()
		return s.engine.install(ctx, standby, s.engine.fromFile(f, s.size), s.progress)
	case <-ctx.Done():
		return subject{slot: standby}, 0, context.Cause(ctx)
	}
}

// stream notes that the archive comes by write, unless it comes as a file.
func (s *stage) stream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.way == unknown {
		s.way = byWrite
		close(s.streams)
	}
	return s.way == byWrite
}

// drawTicket notes that the archive comes as a file, and returns what that has to come with.
func (s *stage) drawTicket() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.way == byWrite:
		return nil, errors.New("cannot draw ticket: the archive comes by write")
	case s.done || len(s.ticket) == 0 && s.way != unknown:
		return nil, errors.New("cannot draw ticket: the stage is over, or done was called")
	}
	if s.way == unknown {
		s.way, s.ticket = byTicket, make([]byte, ticketBytes)
		rand.Read(s.ticket) // never fails
		s.engine.expect(s)
	}
	return s.ticket, nil
}

// sent tells whether all of the archive has come, or lies here.
func (s *stage) sent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.way == byFile || s.way == byWrite && s.done
}

// take takes the file, if it came with the right ticket and is the first one.
func (s *stage) take(ticket string, f *os.File) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, err := hex.DecodeString(ticket)
	if err != nil || s.way != byTicket || subtle.ConstantTimeCompare(raw, s.ticket) != 1 {
		return false
	}
	s.way = byFile
	if err := plat.CheckHanded(f); err != nil {
		s.cancel(refusal.New(refusal.BadFile, "the file that was handed over: %v", err))
		return false
	}
	s.handed <- f // the only one
	return true
}

// takeNoMore ends the waiting for a file.
func (s *stage) takeNoMore() {
	s.engine.expect(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.way = byFile // none that comes now is the first one
	select {
	case f := <-s.handed: // it came when the stage was about to end
		f.Close()
	default:
	}
}

// expect notes the stage that waits for a file, or that none does.
func (e *engine) expect(s *stage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.expected = s
}

// takeHanded gives a file that was handed over to the stage that waits for it. One that nobody waits for is closed.
func (e *engine) takeHanded(ticket string, f *os.File) {
	e.mu.Lock()
	s := e.expected
	e.mu.Unlock()
	if s == nil || !s.take(ticket, f) {
		f.Close()
	}
}
