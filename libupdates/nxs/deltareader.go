package nxs

import (
	"errors"
	"io"

	"nexus/libupdates/delta"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// Names of the entries that follow index and signature in a delta, and of a patch in the folder of its bundle.
const (
	DeltaName          = "system.nxdelta"
	DeltaSignatureName = "delta.sig.ed25519"
	PatchFile          = "payload.patch"
)

// A DeltaHead is the verified beginning of a delta.
type DeltaHead struct {
	Head
	Delta          DeltaIndex
	RawDelta       []byte // the index of the delta as it is in the archive
	DeltaSignature []byte
}

// A DeltaReader reads one delta from a stream, once, from the beginning. Call Open first, then Next until it returns
// io.EOF, or Rebuild. Errors are final.
//
// The order of the checks is that of a Reader, with one more signature: after the index of the set and its signature
// come the index of the delta and its signature, which the publisher of the set must have made. Then, entry by entry,
// name, order, size and digest. A patch is verified block by block, each before it is interpreted.
type DeltaReader struct {
	walk  *Reader
	head  *DeltaHead
	apply PatchFunc    // nil: patches are applied here
	open  func() error // reads and checks what is left of the current bundle, or nil
}

// A PatchFunc does what Apply of a patch does, such as in another process. A patch whose result is not needed is
// checked by it, too: with from at the end of the new payload.
type PatchFunc func(p delta.Patch, w io.Writer, old io.ReaderAt, patch io.Reader, from int64) error

// PatchBy has a function apply the patches, or them applied here if it is nil.
func (d *DeltaReader) PatchBy(apply PatchFunc) { d.apply = apply }

// Head returns the verified beginning of a delta that has been opened.
func (d *DeltaReader) Head() *DeltaHead { return d.head }

// NewDeltaReader returns a DeltaReader of a delta of exactly size bytes.
func NewDeltaReader(r io.Reader, size int64, limits Limits, verify VerifyFunc) *DeltaReader {
	return &DeltaReader{walk: NewReader(r, size, limits, verify)}
}

// Offset returns how many bytes of the archive have been read, for progress displays.
func (d *DeltaReader) Offset() int64 { return d.walk.Offset() }

// Open reads and verifies both indexes and their signatures.
func (d *DeltaReader) Open() (*DeltaHead, error) {
	if _, err := d.walk.openBy(d.readDelta); err != nil {
		return nil, err
	}
	return d.head, nil
}

// readDelta reads and verifies the index of the delta, after that of the set.
func (d *DeltaReader) readDelta(head *Head) error {
	r := d.walk
	h, err := r.header()
	switch {
	case errors.Is(err, errEnd), err == nil && h.name != DeltaName:
		return refusal.New(refusal.MissingEntry, "it is not a delta: there is no %s after %s", DeltaName, SignatureName)
	case err != nil:
		return err
	case h.size > MaxIndex:
		return refusal.New(refusal.IndexTooLarge, "%s of %d bytes is over the limit of %d", DeltaName, h.size, MaxIndex)
	}
	raw, err := r.in.whole(h.size)
	if err != nil {
		return err
	}
	signature, err := d.readSignature()
	if err != nil {
		return err
	}
	if d.head, err = VerifyDelta(head, raw, signature); err != nil {
		return err
	}
	return d.checkSizes(head.Index, d.head.Delta)
}

// VerifyDelta verifies the index of a delta that makes a set, and only then parses it. Refusals: InvalidSignature, and
// those of ParseDeltaIndex.
func VerifyDelta(set *Head, raw, signature []byte) (*DeltaHead, error) {
	if !set.Index.Publisher.Signed(DeltaMessage(raw), signature) {
		return nil, refusal.New(refusal.InvalidSignature,
			"invalid signature of the delta: the set's publisher did not make it")
	}
	x, err := ParseDeltaIndex(raw, set)
	if err != nil {
		return nil, err
	}
	return &DeltaHead{*set, x, raw, signature}, nil
}

func (d *DeltaReader) readSignature() ([]byte, error) {
	h, err := d.walk.header()
	switch {
	case errors.Is(err, errEnd), err == nil && h.name != DeltaSignatureName:
		return nil, refusal.New(refusal.Unsigned, "the delta is not signed: there is no %s after %s",
			DeltaSignatureName, DeltaName)
	case err != nil:
		return nil, err
	case h.size != SignatureSize:
		return nil, refusal.New(refusal.BadSignatureLength, "signature has %d bytes, want %d", h.size, SignatureSize)
	}
	return d.walk.in.whole(h.size)
}

// checkSizes checks the signed sizes against the policy, which is also one of the set that the delta makes, and against
// the rest of the archive.
func (d *DeltaReader) checkSizes(index Index, x DeltaIndex) error {
	least := int64(2 * blockSize)
	made := HeadSize(&d.head.Head) + least
	for i, e := range index.Bundles {
		if err := d.walk.checkPayloadSize(e); err != nil {
			return err
		}
		least += blockSize
		made += 3*blockSize + padded(e.PayloadSize) // a manifest has at least one block
		switch x.Makings[i].Way {
		case Whole:
			least += blockSize + padded(e.PayloadSize)
		case Patch:
			least += blockSize + padded(x.Makings[i].PatchSize)
		}
	}
	if made > d.walk.limits.Archive {
		return refusal.New(refusal.ArchiveTooLarge, "the delta makes a set of at least %d bytes, over the limit of %d",
			made, d.walk.limits.Archive)
	}
	if d.walk.left() < least {
		return errTruncated()
	}
	return d.walk.checkRest(least + int64(len(index.Bundles))*(blockSize+MaxManifest))
}

// A DeltaBundle is one bundle of a delta. Its manifest has been verified. Offset is where its payload or patch begins.
type DeltaBundle struct {
	Bundle
	Making
	patch io.Reader
	delta *DeltaReader
}

// Next returns the next bundle. After the last one it checks the end of the archive and returns io.EOF. What was not
// read of the bundle before is read and verified first.
func (d *DeltaReader) Next() (*DeltaBundle, error) {
	if d.walk.err != nil {
		return nil, d.walk.err
	}
	b, err := d.following()
	d.walk.err = err
	return b, err
}

func (d *DeltaReader) following() (*DeltaBundle, error) {
	r := d.walk
	if open := d.open; open != nil {
		d.open = nil
		if err := open(); err != nil {
			return nil, err
		}
	}
	if r.next == len(r.index.Bundles) {
		if err := r.finish(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	described, err := r.described(r.index.Bundles[r.next])
	if err != nil {
		return nil, err
	}
	b := &DeltaBundle{Bundle: *described, Making: d.head.Delta.Makings[r.next], delta: d}
	r.next++
	switch b.Way {
	case Whole:
		err = r.openPayload(&b.Bundle)
		d.open = r.closePayload
	case Patch:
		err = d.openPatch(b)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// openPatch reads the header of a patch.
func (d *DeltaReader) openPatch(b *DeltaBundle) error {
	h, err := d.walk.due(b.Name + nxb.Suffix + "/" + PatchFile)
	if err != nil {
		return err
	}
	if h.size != b.PatchSize {
		return refusal.New(refusal.SizeMismatch, "size mismatch in %s/%s: %d bytes, want %d", b.Name, PatchFile, h.size,
			b.PatchSize)
	}
	b.Offset = d.walk.Offset()
	b.patch = io.LimitReader(&d.walk.in, h.size)
	d.open = func() error { return d.patch(b, io.Discard, noBase{}, b.PayloadSize) }
	return nil
}

// Apply writes the payload that the patch makes from its base, which has to be verified by the caller, as the result
// has to.
func (b *DeltaBundle) Apply(w io.Writer, base io.ReaderAt) error {
	b.delta.open = nil
	err := b.delta.patch(b, w, base, 0)
	if err != nil {
		b.delta.walk.err = err
	}
	return err
}

// patch applies a patch and checks what follows it.
func (d *DeltaReader) patch(b *DeltaBundle, w io.Writer, base io.ReaderAt, from int64) error {
	apply := d.apply
	if apply == nil {
		apply = delta.Patch.Apply
	}
	if err := apply(b.Making.Patch, w, base, b.patch, from); err != nil {
		return about(b.Name+"/"+PatchFile, err)
	}
	return d.walk.in.padding(b.PatchSize)
}
