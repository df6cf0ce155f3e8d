package nxs

import (
	"errors"
	"io"
)

// Peek returns what an archive, a set or a delta, says about itself and skips its payloads, for an operator who is
// about to send it. It checks less than Inspect does; devices never call it.
func Peek(file io.ReaderAt, size int64, limits Limits) (*Inspection, error) {
	found := &Inspection{}
	f := NewFile(file, size, limits, found.claim)
	head, d, err := f.OpenAny()
	if err != nil {
		return nil, err
	}
	found.Head = *head
	next := f.passing
	if d != nil {
		found.Delta = &d.head.Delta
		next = d.passing
	}
	for {
		b, err := next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		found.Manifests = append(found.Manifests, b.Manifest)
	}
}

// passing returns the next bundle and skips its payload.
func (f *File) passing() (*Bundle, error) {
	b, err := f.walk.Next()
	if err == nil {
		f.walk.passPayload()
	}
	return b, err
}

// passing returns the next bundle and skips what the delta has of its payload.
func (d *DeltaReader) passing() (*Bundle, error) {
	b, err := d.Next()
	if err != nil {
		return nil, err
	}
	d.open = nil
	switch b.Way {
	case Whole:
		d.walk.passPayload()
	case Patch:
		d.walk.err = d.walk.in.skip(b.PatchSize)
	}
	return &b.Bundle, nil
}
