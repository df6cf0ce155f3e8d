package nxs

import (
	"errors"
	"fmt"
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
		if err := writeBundle(w, b.Entry, b.RawManifest, func() error { return b.Make(w, find) }); err != nil {
			return err
		}
	}
}

// Make writes the payload of a bundle and checks all that the index says of it.
func (b *DeltaBundle) Make(w io.Writer, find FindFunc) error {
	sums := b.Entry.everything()
	if err := b.fill(&bounded{io.MultiWriter(w, sums), b.Entry, 0}, find); err != nil {
		return err
	}
	if sums.size != b.PayloadSize {
		return wrongSize(b.Entry, sums.size)
	}
	return sums.check()
}

// fill writes what is said to be the payload.
func (b *DeltaBundle) fill(w io.Writer, find FindFunc) error {
	if b.Way == Whole {
		_, err := io.Copy(w, b.Payload)
		return err
	}
	base, err := b.base(find)
	if err != nil {
		return err
	}
	if b.Way == Held {
		_, err = io.Copy(w, io.NewSectionReader(base, 0, b.PayloadSize))
		return err
	}
	return b.Apply(w, base)
}

// base returns the payload from which that of a bundle is made.
func (b *DeltaBundle) base(find FindFunc) (io.ReaderAt, error) {
	want, wantSize := b.PayloadSHA256, b.PayloadSize
	if b.Way == Patch {
		want, wantSize = b.Base, b.Making.Patch.OldSize
	}
	if wantSize == 0 {
		return noBase{}, nil
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

// bounded refuses more than the signed size of a payload.
type bounded struct {
	w     io.Writer
	entry Entry
	size  int64
}

func (p *bounded) Write(b []byte) (int, error) {
	if p.size += int64(len(b)); p.size > p.entry.PayloadSize {
		return 0, wrongSize(p.entry, p.size)
	}
	return p.w.Write(b)
}

// noBase is the base of a patch that makes a payload from nothing.
type noBase struct{}

func (noBase) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

// about says which file an error is about.
func about(file string, err error) error { return fmt.Errorf("%s: %w", file, err) }
