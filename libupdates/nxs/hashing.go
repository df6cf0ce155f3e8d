package nxs

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"nexus/libupdates/digest"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// kinds returns the digests by which a reader verifies the payload: the fs-verity digest if the index has one, because
// it takes all cores, and the SHA-256 otherwise.
func (e Entry) kinds() digest.Kinds {
	if e.PayloadVerity.IsZero() {
		return digest.SHA256
	}
	return digest.Verity
}

// Stream returns a stream that reads the payload and verifies it. A payload that does not match is refused as
// DigestMismatch in the named file.
func (e Entry) Stream(name string, read func(p []byte, off int64) error) digest.Stream {
	return digest.Stream{Size: e.PayloadSize, Kinds: e.kinds(), Read: read,
		Check: func(sums digest.Sums) error { return e.check(name, e.kinds(), sums) }}
}

// check compares digests of these kinds with those in the index.
func (e Entry) check(name string, kinds digest.Kinds, sums digest.Sums) error {
	whole := kinds&digest.SHA256 != 0
	switch {
	case whole && sums.SHA256 != e.PayloadSHA256:
		return refusal.New(refusal.DigestMismatch, "digest mismatch in %s", name)
	case kinds&digest.Verity == 0 || sums.Verity == e.PayloadVerity:
		return nil
	case whole:
		return refusal.New(refusal.DigestMismatch, "the fs-verity digest of %s is not that of its SHA-256", name)
	}
	return refusal.New(refusal.DigestMismatch, "digest mismatch in %s", name)
}

// A tally computes digests of a payload, one piece after the other.
type tally struct {
	entry Entry
	kinds digest.Kinds
	whole hash.Hash
	tree  digest.Tree
	size  int64
}

func (e Entry) tally(kinds digest.Kinds) *tally {
	return &tally{entry: e, kinds: kinds, whole: sha256.New()}
}

// everything computes all digests that the index has. Writers of sets check them all, so that readers need only one.
func (e Entry) everything() *tally { return e.tally(e.kinds() | digest.SHA256) }

// Tally returns where to write the whole payload, in order, and what then verifies it. A payload that does not match is
// refused as DigestMismatch.
func (e Entry) Tally() (io.Writer, func() error) {
	t := e.tally(e.kinds())
	return t, t.check
}

// Write never fails.
func (t *tally) Write(p []byte) (int, error) {
	if t.kinds&digest.SHA256 != 0 {
		t.whole.Write(p)
	}
	if t.kinds&digest.Verity != 0 {
		t.tree.Write(p)
	}
	t.size += int64(len(p))
	return len(p), nil
}

// check checks what was written against the index.
func (t *tally) check() error {
	sums := digest.Sums{SHA256: digest.Sum(t.whole.Sum(nil)), Verity: t.tree.Sum()}
	return t.entry.check(t.entry.payloadName(), t.kinds, sums)
}

// payloadName returns the name of the payload for messages.
func (e Entry) payloadName() string { return e.Name + "/" + nxb.PayloadFile }

// StreamOf is Stream for a payload in a file of its own. A file that has become shorter is refused as SizeMismatch.
func (e Entry) StreamOf(name string, file io.ReaderAt) digest.Stream {
	return e.Stream(name, func(p []byte, off int64) error {
		n, err := file.ReadAt(p, off)
		switch {
		case n == len(p):
			return nil
		case errors.Is(err, io.EOF):
			return refusal.New(refusal.SizeMismatch, "size mismatch in %s", name)
		default:
			return err
		}
	})
}
