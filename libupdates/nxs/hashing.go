package nxs

import (
	"crypto/sha256"
	"hash"
	"io"
)

// A hashingReader digests what is read through it.
type hashingReader struct {
	r    io.Reader
	hash hash.Hash
}

func newHashingReader(r io.Reader) *hashingReader {
	return &hashingReader{r: r, hash: sha256.New()}
}

func (h *hashingReader) Read(b []byte) (int, error) {
	n, err := h.r.Read(b)
	h.hash.Write(b[:n])
	return n, err
}

func (h *hashingReader) digest() Digest { return Digest(h.hash.Sum(nil)) }

// Measure digests a payload and tells its size in bytes, up to one byte over limit.
func Measure(r io.Reader, limit int64) (Digest, int64, error) {
	hashed := newHashingReader(r)
	n, err := io.Copy(io.Discard, io.LimitReader(hashed, limit+1))
	return hashed.digest(), n, err
}
