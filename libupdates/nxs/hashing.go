package nxs

import (
	"crypto/sha256"
	"hash"
	"io"
)

// A hashingReader hashes what is read through it.
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

// Measure returns the digest and the size in bytes of a payload. It reads at most one byte over limit, so a size above
// limit means that the payload is too large and the digest is incomplete.
func Measure(r io.Reader, limit int64) (Digest, int64, error) {
	hashed := newHashingReader(r)
	n, err := io.Copy(io.Discard, io.LimitReader(hashed, limit+1))
	return hashed.digest(), n, err
}
