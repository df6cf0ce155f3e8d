package nxs

import (
	"context"
	"errors"
	"io"

	"nexus/libupdates/digest"
	"nexus/libupdates/nxb"
)

// VerifyFile reads and verifies a whole set that any place can be read of, as a file: the payloads are digested beside each other. Checks,
// bounds and refusals are those of a Reader, in the same order: of several faults the first in the archive is the one that is reported.
// It returns the verified head and the manifests, one for each of its bundles. The context ends it early.
//
// It first walks over headers and manifests, then reads the payloads that stand before whatever it was that ended the walk.
func VerifyFile(ctx context.Context, file io.ReaderAt, size int64, limits Limits, verify VerifyFunc) (*Head, []nxb.Manifest, error) {
	section := io.NewSectionReader(file, 0, size+1) // one more, so that a file which is longer is seen to be
	r := NewReader(section, size, limits, verify)
	r.in.seeker = section
	head, err := r.Open()
	if err != nil {
		return nil, nil, err
	}
	var manifests []nxb.Manifest
	var payloads []digest.Stream
	for {
		b, walked := r.Next()
		if walked == nil {
			manifests = append(manifests, b.Manifest)
			payloads = append(payloads, payloadAt(file, r.Offset(), b.Entry))
			r.passPayload()
			continue
		}
		if err := digest.Run(ctx, payloads); err != nil {
			return nil, nil, err
		}
		if !errors.Is(walked, io.EOF) {
			return nil, nil, walked
		}
		return head, manifests, nil
	}
}

// passPayload leaves a payload unread that was handed out, for whoever reads it elsewhere.
func (r *Reader) passPayload() {
	r.open = nil
	r.err = r.in.skip(r.index.Bundles[r.next-1].PayloadSize)
}

// payloadAt is a payload that begins at an offset of the archive. Like a payload in a stream it ends with its padding, then its digest.
func payloadAt(file io.ReaderAt, offset int64, entry Entry) digest.Stream {
	in := func(at, size int64) *source { return &source{r: io.NewSectionReader(file, at, size), left: size} }
	return digest.Stream{
		Size:   entry.PayloadSize,
		Offset: offset,
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
