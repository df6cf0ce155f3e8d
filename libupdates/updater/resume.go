package updater

import (
	"context"
	"errors"
	"io"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// resumable is an archive that may be resumed, if its sender wants that.
func (s *Stage) resumable(archive arrival) arrival {
	return func(ctx context.Context, slot bootctl.Slot, opt slots.StageOptions) error {
		admit := opt.Admit
		opt.Admit = func(head *nxs.Head) error {
			s.writing.Add(1) // until payloads can come, the sender waits for us
			return admit(head)
		}
		opt.Resume, opt.Begun = s.resume, s.begin
		return archive(ctx, slot, opt)
	}
}

// begin notes that payloads can come, and what the device has of them.
func (s *Stage) begin(here slots.Here) {
	s.here = here
	s.writing.Add(-1)
	close(s.begun)
}

// ready waits until the head of the set has been verified.
func (s *Stage) ready(ctx context.Context) error {
	if !s.stream() {
		return errors.New("cannot reuse payload: the archive comes as a file")
	}
	select {
	case <-s.begun:
		return nil
	case <-s.over:
		return errOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reuse takes what the device has of a payload in place of the sender's next bytes, and returns how many bytes these
// are: all of a payload that a slot holds, or the beginning that an interrupted stage has kept. The former were
// verified when the stage began, the latter are verified like bytes that come. It waits until the head of the set has
// been verified.
func (s *Stage) Reuse(ctx context.Context, payload nxs.Digest) (size int64, err error) {
	if err := s.streamed(ctx); err != nil {
		return 0, err
	}
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	s.writing.Add(1) // the sender waits for us
	defer s.writing.Add(-1)
	if err := s.asks(payload); err != nil {
		return 0, err
	}
	from, most, err := s.here.Have(payload)
	switch {
	case err != nil || most == 0:
		return 0, err
	case from == nil:
		return most, s.hold(payload, most)
	}
	defer from.Close()
	s.reusedBytes, err = s.copy(ctx, io.LimitReader(from, most))
	return s.reusedBytes, err
}

// hold has the archive read on behind a payload that is held.
func (s *Stage) hold(payload nxs.Digest, size int64) error {
	if err := s.insert(turn{held: &nxs.HeldError{Payload: payload}}); err != nil {
		return err
	}
	s.received.Add(size)
	s.reusedBytes = size
	return nil
}

// reusePiece is how much of a payload is read at once.
const reusePiece = 64 << 10

// copy writes what is read. When the reading fails the sender goes on after what was written.
func (s *Stage) copy(ctx context.Context, from io.Reader) (size int64, err error) {
	piece := make([]byte, reusePiece)
	for ctx.Err() == nil {
		n, readErr := from.Read(piece)
		if err := s.Write(piece[:n]); err != nil {
			return size, err
		}
		size += int64(n)
		if readErr != nil {
			return size, nil
		}
	}
	return size, ctx.Err()
}
