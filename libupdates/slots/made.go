package slots

import (
	"io"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// missing is the refusal for a payload that a delta needs and that no slot has intact.
func missing(sum nxs.Digest) error {
	return refusal.New(refusal.MissingBase, "the device has no intact payload with the digest %s", sum)
}

// basesOf returns the payloads from which a delta makes those of a set, one for each bundle; one of no bytes if it
// needs none. Of the base of a patch only size and digest are known.
func basesOf(index nxs.Index, makings []nxs.Making) []nxs.Entry {
	bases := make([]nxs.Entry, len(makings))
	for i, m := range makings {
		switch m.Way {
		case nxs.Held:
			bases[i] = index.Bundles[i]
		case nxs.Patch:
			bases[i] = nxs.Entry{PayloadSHA256: m.Base, PayloadSize: m.Patch.OldSize}
		}
	}
	return bases
}

// checkBases refuses a delta of which the device lacks a base, unless it has what would be made of it.
func checkBases(index nxs.Index, bases []nxs.Entry, here map[identity]string) error {
	for i, base := range bases {
		entry := index.Bundles[i]
		_, have := here[identityOf(entry)]
		if _, found := here[identityOf(base)]; !have && !found && base.PayloadSize > 0 {
			return refusal.New(refusal.MissingBase, "%s: %v", payloadPath("", entry.Name), missing(base.PayloadSHA256))
		}
	}
	return nil
}

// make makes one payload from what is in the slots. It is verified when make returns.
func (s *stream) make(made *nxs.DeltaBundle, in *incoming, payload durable.File, to keeper, disk *behind) error {
	var base durable.ReadFile
	defer func() {
		if base != nil {
			base.Close()
		}
	}()
	w := &pieceWriter{in: in, payload: payload, disk: disk, done: s.offset}
	err := made.Make(w, func(sum nxs.Digest) (io.ReaderAt, int64, error) {
		var err error
		if base, err = to.held(sum); err != nil {
			return nil, 0, err
		}
		return base, base.Size(), nil
	})
	if err == nil {
		err = w.flush()
	}
	return err
}

// A pieceWriter hands what is written on to the disk, piece by piece.
type pieceWriter struct {
	in      *incoming
	payload durable.File
	disk    *behind
	done    func() int64 // bytes of the archive
	piece   []byte
	n       int // bytes in piece
}

func (w *pieceWriter) Write(b []byte) (n int, err error) {
	for n < len(b) {
		if w.piece == nil {
			if w.piece, err = w.disk.piece(); err != nil {
				return n, err
			}
		}
		copied := copy(w.piece[w.n:], b[n:])
		n, w.n = n+copied, w.n+copied
		if w.n == len(w.piece) {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (w *pieceWriter) flush() error {
	if w.piece == nil {
		return nil
	}
	piece, n := w.piece, w.n
	w.piece, w.n = nil, 0
	if err := w.disk.write(w.payload, piece, n); err != nil {
		return err
	}
	w.in.came(w.done())
	return w.in.ended()
}
