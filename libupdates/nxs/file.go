package nxs

import (
	"context"
	"errors"
	"io"

	"nexus/libupdates/digest"
	"nexus/libupdates/nxb"
)

// VerifyFile reads and verifies a whole set that any place can be read of, as a file. It returns the verified head and
// the manifests, one for each of its bundles. The context ends it early.
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

// A File is a whole set that any place can be read of: its payloads are digested, and copied, beside each other.
// Checks, bounds and refusals are those of a Reader, in the same order: of several faults the first in the archive is
// the one that is reported. Every byte is read once, so that a file which changes meanwhile is refused, or all that was
// taken of it is what was signed. Open comes first, then Copy, once.
type File struct {
	file io.ReaderAt
	walk *Reader
}

// NewFile reads a set of exactly size bytes from a file. Limits over MaxPolicy count as MaxPolicy.
func NewFile(file io.ReaderAt, size int64, limits Limits, verify VerifyFunc) *File {
	section := io.NewSectionReader(file, 0, size+1) // one more, so that a file which is longer is seen to be
	r := NewReader(section, size, limits, verify)
	r.in.seeker = section
	return &File{file: file, walk: r}
}

// A WriteFunc takes a piece of a payload, which it must not change or keep, for its place in the payload. It is called
// by several goroutines.
type WriteFunc func(p []byte, off int64) error

// Open reads and verifies index and signature, as Reader.Open does.
func (f *File) Open() (*Head, error) { return f.walk.Open() }

// Copy verifies the rest of the set. First it walks over headers and manifests and calls begin for each bundle, in
// order, its manifest verified and its Payload nil; the WriteFunc it gets, if it is not nil, is handed that payload.
// Then it reads the payloads that stand before whatever it was that ended the walk. Only when Copy returns nil is what
// was written verified. The context ends it early.
func (f *File) Copy(ctx context.Context, begin func(*Bundle) (WriteFunc, error)) error {
	var payloads []digest.Stream
	for {
		b, walked := f.walk.Next()
		if walked == nil {
			at := f.walk.Offset()
			f.walk.passPayload()
			b.Payload = nil
			write, err := begin(b)
			if err != nil {
				return err
			}
			payloads = append(payloads, payloadAt(f.file, at, b.Entry, write))
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

// passPayload leaves a payload unread that was handed out, for whoever reads it elsewhere.
func (r *Reader) passPayload() {
	r.open = nil
	r.err = r.in.skip(r.index.Bundles[r.next-1].PayloadSize)
}

// payloadAt is a payload that begins at an offset of the archive. Like a payload in a stream it ends with its padding,
// then its digest.
func payloadAt(file io.ReaderAt, offset int64, entry Entry, write WriteFunc) digest.Stream {
	in := func(at, size int64) *source { return &source{r: io.NewSectionReader(file, at, size), left: size} }
	// in the file that pieces are to lie in as they do in memory: the one that is written, if there is one
	var from int64
	if write == nil {
		from = offset
	}
	return digest.Stream{
		Size:   entry.PayloadSize,
		Offset: from,
		Write:  write,
		Read: func(p []byte, off int64) error {
			return in(offset+off, int64(len(p))).full(p)
		},
		Check: func(sum digest.Sum) error {
			if err := in(offset+entry.PayloadSize, blockSize).padding(entry.PayloadSize); err != nil {
				return err
			}
			return entry.checkPayload(sum)
		},
	}
}
