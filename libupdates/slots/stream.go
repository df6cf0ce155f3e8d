package slots

import (
	"io"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A stream is an archive that is read sequentially, as it is sent.
type stream struct{ reader *nxs.Reader }

func (s stream) open() (*nxs.Head, error) { return s.reader.Open() }

// deliver receives the bundles in order. The disk is written concurrently.
func (s stream) deliver(in *incoming, index nxs.Index, to keeper) error {
	disk := startBehind(index)
	err := s.receive(in, to, disk)
	if failed := disk.wait(); failed != nil { // takes precedence: it was requested before the read that failed
		err = failed
	}
	return err
}

func (s stream) receive(in *incoming, to keeper, disk *behind) error {
	for {
		bundle, err := s.next(in)
		if err == io.EOF {
			in.came(s.reader.Offset())
			return nil
		}
		if err == nil {
			err = s.copy(bundle, in, to, disk)
		}
		if err != nil {
			return err
		}
	}
}

// next returns the next bundle, or io.EOF when the whole archive has been verified.
func (s stream) next(in *incoming) (*nxs.Bundle, error) {
	if err := in.ended(); err != nil {
		return nil, err
	}
	bundle, err := s.reader.Next()
	if err == nil {
		in.begins(bundle.Entry.Name, s.reader.Offset())
	}
	return bundle, err
}

// copy receives one bundle piece by piece. The payload's reader verifies the digest at its end.
func (s stream) copy(bundle *nxs.Bundle, in *incoming, to keeper, disk *behind) error {
	payload, err := to.payload(bundle.Entry.Name)
	if err == nil {
		err = disk.do(func() error { return to.manifest(bundle) })
	}
	if err != nil {
		return err
	}
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
		if err != nil && err != io.EOF {
			return err
		}
		if err := disk.write(payload, piece, n); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err := in.ended(); err != nil {
			return err
		}
		in.came(s.reader.Offset())
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
