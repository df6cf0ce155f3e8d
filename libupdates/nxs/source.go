package nxs

import (
	"errors"
	"io"

	"nexus/libupdates/refusal"
)

// A source is the stream of an archive that is limited to its announced size.
type source struct {
	r      io.Reader
	left   int64
	seeker io.Seeker  // r, if it can skip without reading; otherwise nil
	held   *HeldError // what r stands in for, if that was not taken yet
}

// Read reads up to the announced end. A stream that ends before that is Truncated.
func (s *source) Read(b []byte) (int, error) {
	if s.left <= 0 {
		return 0, errTruncated()
	}
	if int64(len(b)) > s.left {
		b = b[:s.left]
	}
	n, err := s.r.Read(b)
	s.left -= int64(n)
	switch {
	case errors.As(err, &s.held):
		err = errMisplaced(s.held)
	case errors.Is(err, io.EOF) && n == 0:
		err = errTruncated()
	case errors.Is(err, io.EOF):
		err = nil
	}
	return n, err
}

func errMisplaced(held *HeldError) error {
	return bad("another entry is due, or the rest of it, and %v", held)
}

func errTruncated() error { return refusal.New(refusal.Truncated, "the archive ends too early") }

// full reads exactly len(b) bytes.
func (s *source) full(b []byte) error {
	_, err := io.ReadFull(s, b)
	return err
}

// whole reads an entry, whose size has been checked against its limit, and its padding. It never allocates more than is
// left of the archive.
func (s *source) whole(size int64) ([]byte, error) {
	if padded(size) > s.left {
		return nil, errTruncated()
	}
	b := make([]byte, size)
	if err := s.full(b); err != nil {
		return nil, err
	}
	return b, s.padding(size)
}

// padding reads the padding after an entry, which must be zero.
func (s *source) padding(size int64) error {
	var block [blockSize]byte
	rest := block[:padded(size)-size]
	if err := s.full(rest); err != nil {
		return err
	}
	if !isZero(rest) {
		return bad("nonzero bytes in the padding of an entry")
	}
	return nil
}

// skip skips an entry's content and padding.
func (s *source) skip(size int64) error {
	if s.seeker == nil {
		_, err := io.CopyN(io.Discard, s, padded(size))
		return err
	}
	size = padded(size)
	if size > s.left {
		s.left = 0
		return errTruncated()
	}
	s.left -= size
	_, err := s.seeker.Seek(size, io.SeekCurrent)
	return err
}

// end checks that the stream ends at the announced size.
func (s *source) end() error {
	var one [1]byte
	n, err := io.ReadFull(s.r, one[:])
	switch {
	case n > 0:
		return refusal.New(refusal.TrailingData, "bytes after the announced size of the archive")
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &s.held):
		return errMisplaced(s.held)
	default:
		return err
	}
}

// padded rounds a size up to whole blocks.
func padded(size int64) int64 { return (size + blockSize - 1) / blockSize * blockSize }
