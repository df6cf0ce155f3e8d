package delta

import (
	"crypto/sha256"
	"errors"
	"io"
	"slices"

	"nexus/libupdates/refusal"
)

// Apply writes the new payload, front to back. The old one must have OldSize bytes and be the one from which the patch
// was made; the caller verifies it before, and the result after. From is where to begin in the new payload, after a
// cut: what is before it is not written, and of the old payload only what is needed is read.
//
// Refusals: Truncated and TrailingData if the patch does not end where it says, DigestMismatch if a block is not the
// one that was named, BadSchemaVersion, SizeMismatch and BadPatch for what is verified but makes no sense. Up to a
// refusal, whole blocks may have been written.
func (p Patch) Apply(w io.Writer, old io.ReaderAt, patch io.Reader, from int64) error {
	unpacker, err := newUnpacker()
	if err != nil {
		return err
	}
	defer unpacker.decoder.Close()
	a := &applier{Patch: p, in: patch, out: w, from: from, unpacker: unpacker}
	next, err := a.begin(old)
	for err == nil && next.Size > 0 {
		next, err = a.block(next)
	}
	switch {
	case err != nil:
		return err
	case a.at != p.NewSize:
		return bad("it makes %d of %d bytes", a.at, p.NewSize)
	}
	return a.end()
}

// An applier applies one patch.
type applier struct {
	Patch
	in       io.Reader
	out      io.Writer
	from     int64 // where to begin to write
	at       int64 // how much of the new payload has been made
	next     int   // the first piece that is not over
	unpacker *unpacker
	control  *control
	predictor
	raw                   []byte       // a buffer
	skipped               [stride]byte // stands for what is not predicted
	runs, wrong, literals []byte
}

// verified reads the next block and verifies it.
func (a *applier) verified(link Link) (*reader, error) {
	if link.Size < 1 || link.Size > MaxBlock {
		return nil, bad("a block of %d bytes", link.Size)
	}
	a.raw = slices.Grow(a.raw[:0], int(link.Size))[:link.Size]
	if _, err := io.ReadFull(a.in, a.raw); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, refusal.New(refusal.Truncated, "the patch ends too early")
		}
		return nil, err
	}
	if sha256.Sum256(a.raw) != link.Digest {
		return nil, refusal.New(refusal.DigestMismatch, "digest mismatch in a block of the patch")
	}
	return &reader{rest: a.raw}, nil
}

// begin reads the first block and makes the predictor.
func (a *applier) begin(old io.ReaderAt) (Link, error) {
	r, err := a.verified(a.First)
	if err != nil {
		return Link{}, err
	}
	next := r.link()
	if v := r.bytes(1, "the version"); r.err == nil && v[0] != version {
		return Link{}, refusal.New(refusal.BadSchemaVersion, "version of the patch is %d, not %d", v[0], version)
	}
	oldSize, newSize := r.number(MaxSize, "the size of the old payload"),
		r.number(MaxSize, "the size of the new payload")
	if r.err == nil && (oldSize != a.OldSize || newSize != a.NewSize) {
		return Link{}, refusal.New(refusal.SizeMismatch, "the patch is from %d to %d bytes, want from %d to %d",
			oldSize, newSize, a.OldSize, a.NewSize)
	}
	raw := a.unpacker.part(r, a.literals, maxControl, "the control part")
	r.end("the control part")
	if r.err != nil {
		return Link{}, r.err
	}
	a.literals = raw
	if a.control, err = decodeControl(raw, a.OldSize, a.NewSize); err != nil {
		return Link{}, err
	}
	a.predictor = predictor{old: plainModel(old, a.OldSize)}
	if len(a.control.segments) > 0 && a.from < a.NewSize {
		a.predictor = predictor{old: newModel(old, a.OldSize), bases: a.control.bases,
			to: space{a.NewSize, a.control.segments}}
		a.atlas = newAtlas(a.control, &a.old.prog.space, &a.to)
		if len(a.predictor.bases) < len(a.old.bases) {
			return Link{}, bad("it has %d bases, the old payload %d", len(a.predictor.bases), len(a.old.bases))
		}
	}
	return next, nil
}

// block applies one block.
func (a *applier) block(link Link) (Link, error) {
	r, err := a.verified(link)
	if err != nil {
		return Link{}, err
	}
	next := r.link()
	length := r.number(a.NewSize-a.at, "the length of a block's result")
	if length == 0 {
		r.fail("a block makes nothing")
	}
	a.runs = a.unpacker.part(r, a.runs, maxContent, "the corrections")
	a.wrong = a.unpacker.part(r, a.wrong, maxContent, "the differences")
	a.literals = a.unpacker.part(r, a.literals, maxContent, "the literals")
	r.end("the literals")
	if r.err != nil {
		return Link{}, r.err
	}
	f := fixer{runs: reader{rest: a.runs}, wrong: a.wrong}
	literals := a.literals
	for end := a.at + length; a.at < end; {
		p, ok := a.piece()
		switch {
		case !ok || a.at < p.new: // between pieces
			n := end - a.at
			if ok {
				n = min(n, p.new-a.at)
			}
			if n > int64(len(literals)) {
				return Link{}, bad("the literals end too early")
			}
			err = a.write(literals[:n])
			literals = literals[n:]
		default:
			err = a.copy(p, min(end, p.new+p.n), &f)
		}
		if err != nil {
			return Link{}, err
		}
	}
	if len(literals) > 0 || f.left() {
		return Link{}, bad("a block has more corrections or literals than its result")
	}
	return next, f.runs.err
}

// piece returns the piece that is current or next.
func (a *applier) piece() (piece, bool) {
	for ; a.next < len(a.control.pieces); a.next++ {
		if p := a.control.pieces[a.next]; a.at < p.new+p.n {
			return p, true
		}
	}
	return piece{}, false
}

// copy writes what is predicted from a piece up to an offset of the new payload, corrected.
func (a *applier) copy(p piece, end int64, f *fixer) error {
	for a.at < end {
		n := min(stride, end-a.at)
		b := a.skipped[:n]
		if a.at+n > a.from {
			var err error
			if b, err = a.predict(p, a.at-p.new, n); err != nil {
				return err
			}
		}
		if err := f.fix(b); err != nil {
			return err
		}
		if err := a.write(b); err != nil {
			return err
		}
	}
	return nil
}

// write writes the next bytes of the new payload, unless they are before the start.
func (a *applier) write(b []byte) error {
	skip := min(max(0, a.from-a.at), int64(len(b)))
	a.at += int64(len(b))
	if skip == int64(len(b)) {
		return nil
	}
	_, err := a.out.Write(b[skip:])
	return err
}

// end checks that the patch has ended.
func (a *applier) end() error {
	var one [1]byte
	n, err := io.ReadFull(a.in, one[:])
	switch {
	case n > 0:
		return refusal.New(refusal.TrailingData, "bytes after the end of the patch")
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// A fixer corrects what was predicted.
type fixer struct {
	runs  reader
	wrong []byte
	right int64 // bytes that are right before the current run
	run   int64 // bytes of the current run that are left
}

// fix corrects the next bytes of pieces.
func (f *fixer) fix(b []byte) error {
	for len(b) > 0 {
		if f.run == 0 {
			if len(f.runs.rest) == 0 {
				return f.runs.err
			}
			f.right = f.runs.number(MaxSize, "a number of right bytes")
			f.run = f.runs.number(int64(len(f.wrong)), "a number of wrong bytes")
			if f.runs.err == nil && f.run == 0 {
				f.runs.fail("an empty run of wrong bytes")
			}
			if f.runs.err != nil {
				return f.runs.err
			}
		}
		n := min(f.right, int64(len(b)))
		b, f.right = b[n:], f.right-n
		if f.right > 0 {
			return nil
		}
		n = min(f.run, int64(len(b)))
		for i := range n {
			b[i] += f.wrong[i]
		}
		b, f.wrong, f.run = b[n:], f.wrong[n:], f.run-n
	}
	return nil
}

// left reports whether corrections are left.
func (f *fixer) left() bool { return f.run > 0 || len(f.wrong) > 0 || len(f.runs.rest) > 0 }

// Verify checks a whole patch without its base: the digests of its blocks, and that they make a payload of the right
// size. Only the old payload can show whether the patch fits to it.
func (p Patch) Verify(patch io.Reader) error { return p.Apply(io.Discard, nil, patch, p.NewSize) }
