package updater

import (
	"context"
	"errors"
	"io"
)

// A way is how an archive comes: by Write, or as a file. Its sender says so by the first call.
type way uint8

const (
	unknown way = iota
	byWrite
	byFile
)

// install waits until it is known how the archive comes, and takes it in.
func (s *Stage) install(ctx context.Context, out io.Reader) (Audit, uint64, error) {
	in := s.owner.intake
	select {
	case <-s.streams:
		return in.install(ctx, s.resumable(in.fromStream(out, s.size)), s.terms, s.progress)
	case f := <-s.file:
		defer f.Close()
		return in.install(ctx, in.fromFile(f, s.size), s.terms, s.progress)
	case <-ctx.Done():
		return Audit{Slot: in.ledger.Record().Standby()}, 0, context.Cause(ctx)
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

// TakeFile takes the archive as a file, which the stage closes. The file may change while it is read, but no read of it
// may wait for anybody.
func (s *Stage) TakeFile(f File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.way {
	case unknown:
		s.way = byFile
		s.file <- f // the only one
		return nil
	case byWrite:
		f.Close()
		return errors.New("cannot take file: the archive comes by write, or done was called")
	default:
		f.Close()
		return errors.New("cannot take file: the stage has one, or is over")
	}
}

// sent reports whether the whole archive has come, or is here as a file.
func (s *Stage) sent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.way == byFile || s.done
}

// takeNoMore refuses a file that comes after the stage has ended.
func (s *Stage) takeNoMore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.way = byFile // one that comes now is not the first
	select {
	case f := <-s.file: // it came when the stage was about to end
		f.Close()
	default:
	}
}
