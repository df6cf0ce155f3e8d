package slots

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// StageOptions are what the owner wants to have a say in, or to hear of, during a stage. The zero value asks and tells nothing.
type StageOptions struct {
	// Admit is asked once the signature has passed and the index is known, before anything is written. Its error ends the stage.
	Admit func(*nxs.Head) error
	// Progress is told at each new phase and bundle, and at most every MiB of a payload.
	Progress func(Progress)
}

// Progress says how far a stage is.
type Progress struct {
	Phase     Phase
	DoneBytes int64  // of the archive, received and checked
	Bundle    string // the bundle being received; empty before the first
}

// Phase is what a stage is doing.
type Phase uint8

// The phases.
const (
	Receiving  Phase = iota // receiving and verifying
	Publishing              // all verified; making the slot durable
	Reused                  // the set was on the disk already, verified anew; the archive is verified too and not written
)

// Stage receives a set and puts it into the slot: verified while it is written, durable when Stage returns. The slot must be the
// standby one; only the caller knows which that is.
//
// After any refusal or error the slot holds what it held, and everything written is gone; where the disk fails even then, the next
// Open removes it. After a cut at any moment the slot holds what it held or the whole new set. Space is reserved before the first
// payload byte is written. Ending ctx ends the stage between two pieces: with the refusal that is its cause, or as Cancelled. The
// other reasons are those of the archive, Admit's, and NoSpace.
func (s *Store) Stage(ctx context.Context, slot bootctl.Slot, r *nxs.Reader, opt StageOptions) (Content, error) {
	if err := checkSlot(slot); err != nil {
		return Content{}, fmt.Errorf("cannot stage: %w", err)
	}
	content, err := s.stage(ctx, slot, r, opt)
	if err != nil {
		return Content{}, fmt.Errorf("cannot stage into slot %s: %w", slot, err)
	}
	return content, nil
}

func (s *Store) stage(ctx context.Context, slot bootctl.Slot, r *nxs.Reader, opt StageOptions) (Content, error) {
	if _, err := s.used(); err != nil { // what cannot be told apart from a leftover must not be added to
		return Content{}, err
	}
	head, err := r.Open()
	if err != nil {
		return Content{}, err
	}
	if opt.Admit != nil {
		if err := opt.Admit(head); err != nil {
			return Content{}, err
		}
	}
	in := incoming{ctx: ctx, reader: r, tell: opt.Progress}
	if s.has(head) {
		err = in.drain(head.Index)
	} else {
		err = s.add(head, &in)
	}
	if err != nil {
		return Content{}, err
	}
	if err := s.point(slot, head.Digest); err != nil {
		return Content{}, err
	}
	return contentOf(head.Digest, head.Index), nil
}

// has reports whether the very set is on the disk, signature and every byte of it.
func (s *Store) has(head *nxs.Head) bool {
	set := stored{s.fs, head.Digest}
	if _, err := set.rawIndex(); err != nil {
		return false
	}
	signature, err := set.signature()
	if err != nil || !bytes.Equal(signature, head.Signature) {
		return false
	}
	return set.checkBundles(head.Index) == nil
}

// incoming is the archive as it arrives.
type incoming struct {
	ctx    context.Context
	reader *nxs.Reader
	tell   func(Progress)
	at     Progress
}

// drain verifies the archive to its end and keeps nothing of it.
func (in *incoming) drain(index nxs.Index) error {
	in.enter(Reused)
	piece := make([]byte, pieceSize(index))
	get := func() ([]byte, error) { return piece, nil }
	put := func([]byte) error { return nil }
	for {
		bundle, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = in.copy(bundle, get, put)
		}
		if err != nil {
			return err
		}
	}
}

// next returns the next bundle; io.EOF means that the whole archive is verified.
func (in *incoming) next() (*nxs.Bundle, error) {
	if err := in.ended(); err != nil {
		return nil, err
	}
	bundle, err := in.reader.Next()
	if err != nil {
		return nil, err
	}
	in.at.Bundle = bundle.Entry.Name
	in.report()
	return bundle, nil
}

// copy hands a bundle's payload to put, piece by piece. What get gives is memory for the next piece, put's to keep. The payload's own
// reader refuses wrong bytes at their end.
func (in *incoming) copy(bundle *nxs.Bundle, get func() ([]byte, error), put func([]byte) error) error {
	for left := bundle.Entry.PayloadSize; ; {
		piece, err := get()
		if err != nil {
			return err
		}
		n, err := fill(bundle.Payload, piece)
		left -= int64(n)
		if left < 0 || err == io.EOF && left > 0 {
			return refusal.New(refusal.SizeMismatch, "size mismatch in %s", payloadPath("", bundle.Entry.Name))
		}
		if err != nil && err != io.EOF {
			return err
		}
		if err := put(piece[:n]); err != nil { // also a piece of nothing: it is put's to give back
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err := in.ended(); err != nil {
			return err
		}
		in.report()
	}
}

// fill reads until the piece is full, or there is an error.
func fill(r io.Reader, piece []byte) (n int, err error) {
	for n < len(piece) && err == nil {
		var more int
		more, err = r.Read(piece[n:])
		n += more
	}
	return n, err
}

// ended says why the stage is to end, if it is.
func (in *incoming) ended() error {
	cause := context.Cause(in.ctx)
	if cause == nil || refusal.Of(cause) != refusal.IO {
		return cause
	}
	return refusal.New(refusal.Cancelled, "the stage was cancelled: %v", cause)
}

func (in *incoming) enter(p Phase) {
	in.at.Phase = p
	in.report()
}

func (in *incoming) report() {
	if in.tell != nil {
		in.at.DoneBytes = in.reader.Offset()
		in.tell(in.at)
	}
}
