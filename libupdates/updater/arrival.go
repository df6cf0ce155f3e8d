package updater

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"

	"nexus/libupdates/refusal"
)

// An archive comes by Write, or as a file that is handed over on another way. Which one, its sender says by the first
// call. A ticket tells to which stage a file belongs.

// ticketBytes is the size of a ticket (schema/update.capnp).
const ticketBytes = 16

// A way is how an archive comes.
type way uint8

const (
	unknown way = iota
	byWrite
	byTicket // as a file that is not here yet
	byFile
)

// install waits until it is known how the archive comes, and takes it in.
func (s *Stage) install(ctx context.Context, out io.Reader) (Audit, uint64, error) {
	e, standby := s.engine, s.engine.Record().Standby()
	select {
	case <-s.streams:
		return e.install(ctx, standby, e.fromStream(out, s.size), s.progress)
	case f := <-s.handed:
		defer f.Close()
		return e.install(ctx, standby, e.fromFile(f, s.size), s.progress)
	case <-ctx.Done():
		return Audit{Slot: standby}, 0, context.Cause(ctx)
	}
}

// stream notes that the archive comes by Write, unless it comes as a file.
func (s *Stage) stream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.way == unknown {
		s.way = byWrite
		close(s.streams)
	}
	return s.way == byWrite
}

// Ticket notes that the archive comes as a file, and returns what that has to come with.
func (s *Stage) Ticket() ([]byte, error) {
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

// sent tells whether the whole archive has come, or is here as a file.
func (s *Stage) sent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.way == byFile || s.way == byWrite && s.done
}

// expect notes the stage that waits for a file, or that none does.
func (e *Engine) expect(s *Stage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.expected = s
}

// TakeFile gives a file to the stage that waits for it, by its ticket in hex. A file that no stage waits for is closed.
func (e *Engine) TakeFile(ticket string, f File) {
	e.mu.Lock()
	s := e.expected
	e.mu.Unlock()
	if s == nil || !s.take(ticket, f) {
		f.Close()
	}
}

// take takes the file, if it came with the right ticket and is the first one.
func (s *Stage) take(ticket string, f File) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, err := hex.DecodeString(ticket)
	if err != nil || s.way != byTicket || subtle.ConstantTimeCompare(raw, s.ticket) != 1 {
		return false
	}
	s.way = byFile
	if err := f.Check(); err != nil {
		s.cancel(refusal.New(refusal.BadFile, "the file that was handed over: %v", err))
		return false
	}
	s.handed <- f // the only one
	return true
}

// takeNoMore ends the wait for a file.
func (s *Stage) takeNoMore() {
	s.engine.expect(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.way = byFile // a file that comes now is not the first one
	select {
	case f := <-s.handed: // it came when the stage was about to end
		f.Close()
	default:
	}
}
