package slots

import (
	"io"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A stream is an archive that is read sequentially, as it is sent.
type stream struct {
	reader *nxs.Reader
	patch  nxs.PatchFunc
	delta  *nxs.DeltaReader // if it is a delta: what reads it in place of reader
}

func (s *stream) open() (*nxs.Head, error) { return s.opened(s.reader.OpenAny()) }

func (s *stream) opened(head *nxs.Head, delta *nxs.DeltaReader, err error) (*nxs.Head, error) {
	if s.delta = delta; delta != nil {
		delta.PatchBy(s.patch)
	}
	return head, err
}

func (s *stream) offset() int64 {
	if s.delta != nil {
		return s.delta.Offset()
	}
	return s.reader.Offset()
}

func (s *stream) makings() []nxs.Making {
	if s.delta == nil {
		return nil
	}
	return s.delta.Head().Delta.Makings
}

// deliver receives the bundles in order. The disk is written concurrently.
func (s *stream) deliver(in *incoming, index nxs.Index, to keeper) error {
	disk := startBehind(in.piece(index))
	err := s.receive(in, to, disk)
	if failed := disk.wait(); failed != nil { // takes precedence: it was requested before the read that failed
		err = failed
	}
	return err
}

func (s *stream) receive(in *incoming, to keeper, disk *behind) error {
	for {
		bundle, made, err := s.next(in)
		if err == io.EOF {
			in.came(s.offset())
			return nil
		}
		if err != nil {
			return err
		}
		payload, err := to.payload(bundle.Entry.Name)
		if err == nil {
			err = disk.do(func() error { return to.manifest(bundle) })
		}
		switch {
		case err != nil:
		case made == nil || made.Way == nxs.Whole:
			err = s.copy(bundle, in, payload, disk)
		case payload != nil:
			err = s.make(made, in, payload, to, disk)
		}
		if err != nil {
			return err
		}
	}
}

// next returns the next bundle, and how a delta makes it, or io.EOF when the whole archive has been verified.
func (s *stream) next(in *incoming) (bundle *nxs.Bundle, made *nxs.DeltaBundle, err error) {
	if err := in.ended(); err != nil {
		return nil, nil, err
	}
	if s.delta == nil {
		bundle, err = s.reader.Next()
	} else if made, err = s.delta.Next(); err == nil {
		bundle = &made.Bundle
	}
	if err == nil {
		in.begins(bundle.Entry.Name, s.offset())
	}
	return bundle, made, err
}

// copy receives one payload piece by piece. Its reader verifies the digest at its end. One that need not be stored need
// not come.
func (s *stream) copy(bundle *nxs.Bundle, in *incoming, payload durable.File, disk *behind) error {
	for left := bundle.Entry.PayloadSize; ; {
		piece, err := disk.piece()
		if err != nil {
			return err
		}
		n, err := fill(bundle.Payload, piece)
		left -= int64(n)
		if left < 0 || err == io.EOF && left > 0 {
			return refusal.New(refusal.SizeMismatch, "size mismatch in %s", payloadPath("", bundle.Entry.Name))
		}
		broken := err // what came before goes to the disk: the stage may be resumed
		if err := disk.write(payload, piece, n); err != nil {
			return err
		}
		switch {
		case broken == nil:
		case broken == io.EOF, broken == nxs.ErrHeld && payload == nil:
			return nil
		default:
			return broken
		}
		if err := in.ended(); err != nil {
			return err
		}
		in.came(s.offset())
	}
}

// fill reads until the piece is full or an error occurs.
func fill(r io.Reader, piece []byte) (n int, err error) {
	for n < len(piece) && err == nil {
		var more int
		more, err = r.Read(piece[n:])
		n += more
	}
	return n, err
}
