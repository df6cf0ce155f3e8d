package nxs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// A FindFunc returns the payload that has a digest, and its size, or the refusal MissingBase.
type FindFunc func(Digest) (io.ReaderAt, int64, error)

// Rebuild writes the set that a delta makes, front to back: the bytes are those that the packer made. Open must have
// been called. Every payload is verified when its last byte has been written, so the set may be used only if Rebuild
// returns nil. Refusals: those of Next and of patches, MissingBase, and DigestMismatch if a base is not what it is said
// to be.
func (d *DeltaReader) Rebuild(w io.Writer, find FindFunc) error {
	if d.head == nil {
		return errNotOpen
	}
	if err := WriteHead(w, &d.head.Head); err != nil {
		return err
	}
	for {
		b, err := d.Next()
		if errors.Is(err, io.EOF) {
			return writeEnd(w)
		}
		if err != nil {
			return err
		}
		if err := writeBundle(w, b.Entry, b.RawManifest, func() error { return b.make(w, find) }); err != nil {
			return err
		}
	}
}

// make writes the payload of a bundle.
func (b *DeltaBundle) make(w io.Writer, find FindFunc) error {
	if b.Way == Whole {
		_, err := io.Copy(w, b.Payload) // checks size and digest
		return err
	}
	base, err := b.base(find)
	if err != nil {
		return err
	}
	made := &madePayload{w: w, hash: sha256.New()}
	if b.Way == Held {
		_, err = io.Copy(made, io.NewSectionReader(base, 0, b.PayloadSize))
	} else {
		err = b.Apply(made, base)
	}
	if err != nil {
		return err
	}
	if made.size != b.PayloadSize {
		return wrongSize(b.Entry, made.size)
	}
	return b.checkPayload(Digest(made.hash.Sum(nil)))
}

// base returns the payload from which that of a bundle is made.
func (b *DeltaBundle) base(find FindFunc) (io.ReaderAt, error) {
	want, wantSize := b.PayloadSHA256, b.PayloadSize
	if b.Way == Patch {
		if want, wantSize = b.Base, b.Making.Patch.OldSize; wantSize == 0 {
			return noBase{}, nil
		}
	}
	base, size, err := find(want)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", b.Name, nxb.PayloadFile, err)
	}
	if size != wantSize {
		return nil, refusal.New(refusal.SizeMismatch, "base of %s/%s has %d bytes, want %d", b.Name, nxb.PayloadFile, size,
			wantSize)
	}
	return base, nil
}

// noBase is the base of a patch that makes a payload from nothing.
type noBase struct{}

func (noBase) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

// A madePayload digests what is written.
type madePayload struct {
	w    io.Writer
	hash hash.Hash
	size int64
}

func (m *madePayload) Write(b []byte) (int, error) {
	m.hash.Write(b)
	m.size += int64(len(b))
	return m.w.Write(b)
}

// about says which file an error is about.
func about(file string, err error) error { return fmt.Errorf("%s: %w", file, err) }
