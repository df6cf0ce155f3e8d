package nxs

import (
	"context"
	"errors"
	"io"

	"nexus/libupdates/digest"
	"nexus/libupdates/nxb"
)

// VerifyFile reads and verifies a whole set from a file with random access. It returns the verified head and one
// manifest per bundle, in order. Canceling the context ends it early.
func VerifyFile(ctx context.Context, file io.ReaderAt, size int64, limits Limits,
	verify VerifyFunc) (*Head, []nxb.Manifest, error) {
	f := NewFile(file, size, limits, verify)
	head, err := f.Open()
	if err != nil {
		return nil, nil, err
	}
	var manifests []nxb.Manifest
	err = f.Copy(ctx, func(b *Bundle) (WriteFunc, error) {
		manifests = append(manifests, b.Manifest)
		return nil, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return head, manifests, nil
}

// A File is a set in a file with random access, whose payloads are hashed and copied in parallel. Its checks, limits
// and refusals are those of a Reader, in the same order: if there are several faults, the first in the archive is
// reported. Every byte is read once, so a file that changes meanwhile is either refused, or everything taken from it
// was what was signed. Call Open first, then Copy, once.
type File struct {
	file io.ReaderAt
	walk *Reader
}

// NewFile returns a File for a set of exactly size bytes. Limits above MaxPolicy count as MaxPolicy.
func NewFile(file io.ReaderAt, size int64, limits Limits, verify VerifyFunc) *File {
	section := io.NewSectionReader(file, 0, size+1) // one more byte, to detect a longer file
	r := NewReader(section, size, limits, verify)
	r.in.seeker = section
	return &File{file: file, walk: r}
}

// A WriteFunc writes p, a piece of a payload, at offset off of that payload. It must not change or keep p. Several
// goroutines call it at the same time.
type WriteFunc func(p []byte, off int64) error

// Open reads and verifies the index and its signature, as Reader.Open does.
func (f *File) Open() (*Head, error) { return f.walk.Open() }

// OpenAny opens a set or a delta, as Reader.OpenAny does. A delta is read by the DeltaReader, not by Copy.
func (f *File) OpenAny() (*Head, *DeltaReader, error) { return f.walk.OpenAny() }

// TakeRoots has the roots of the set given to a function. Call it before Open.
func (f *File) TakeRoots(take RootsFunc) { f.walk.TakeRoots(take) }

// Copy verifies the rest of the set. It first walks over headers and manifests and calls begin for each bundle, in
// order, with its manifest verified and its Payload nil. If begin returns a WriteFunc, that is given the bundle's
// payload. Copy then reads the payloads up to the point where the walk ended, at the end of the archive or at a fault.
// What was written is verified only if Copy returns nil. Canceling the context ends it early.
func (f *File) Copy(ctx context.Context, begin func(*Bundle) (WriteFunc, error)) error {
	var payloads []digest.Stream
	for {
		b, walked := f.walk.Next()
		if walked == nil {
			f.walk.passPayload()
			b.Payload = nil
			write, err := begin(b)
			if err != nil {
				return err
			}
			payloads = append(payloads, payloadAt(f.file, b.Offset, b.Entry, write))
			continue
		}
		if err := digest.Run(ctx, payloads); err != nil {
			return err
		}
		if !errors.Is(walked, io.EOF) {
			return walked
		}
		return nil
	}
}

// passPayload skips the payload of the current bundle, which is read elsewhere.
func (r *Reader) passPayload() {
	r.open = nil
	r.err = r.in.skip(r.index.Bundles[r.next-1].PayloadSize)
}

// payloadAt returns the payload that begins at an offset of the archive. As in a Reader, its padding is checked first,
// then its digest.
func payloadAt(file io.ReaderAt, offset int64, entry Entry, write WriteFunc) digest.Stream {
	in := func(at, size int64) *source { return &source{r: io.NewSectionReader(file, at, size), left: size} }
	// Pieces are aligned as in the written file, or as in the archive if none is written.
	var from int64
	if write == nil {
		from = offset
	}
	stream := entry.Stream(entry.payloadName(), func(p []byte, off int64) error {
		return in(offset+off, int64(len(p))).full(p)
	})
	stream.Offset, stream.Write = from, write
	check := stream.Check
	stream.Check = func(sums digest.Sums) error {
		if err := in(offset+entry.PayloadSize, blockSize).padding(entry.PayloadSize); err != nil {
			return err
		}
		return check(sums)
	}
	return stream
}
