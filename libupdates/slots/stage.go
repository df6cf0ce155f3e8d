package slots

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
)

// StageOptions are what the owner wants to have a say in, or to hear of, during a stage. The zero value asks and tells
// nothing.
type StageOptions struct {
	// Admit is asked once the signature has passed and the index is known, before anything is written. Its error ends
	// the stage.
	Admit func(*nxs.Head) error
	// AdmitBundle is asked about each bundle, once its manifest is verified and before its payload is taken. Its error
	// ends the stage.
	AdmitBundle func(nxs.Index, nxb.Manifest) error
	// Verified is asked once the whole set is verified and durable, before the slot loses what it held. Its error ends
	// the stage.
	Verified func() error
	// Progress is told at each new phase and bundle, and at most every MiB of a payload.
	Progress func(Progress)
}

// Progress says how far a stage is.
type Progress struct {
	Phase     Phase
	DoneBytes int64  // of the archive, received and checked
	Bundle    string // the bundle being received; empty before the first
	Reused    int64  // bytes of payloads that were on the disk already, verified anew, and are not written again
}

// Phase is what a stage is doing.
type Phase uint8

// The phases.
const (
	Receiving  Phase = iota // receiving and verifying
	Publishing              // all verified; making the slot durable
	// the set was on the disk already, verified anew; the archive is verified too and not written
	Reused
)

// Stage receives a set and puts it into the slot: verified while it is written, durable when Stage returns. The slot
// must be the standby one; only the caller knows which that is.
//
// After any refusal or error the slot holds what it held, and everything written is gone; where the disk fails even
// then, the next Open removes it. After a cut at any moment the slot holds what it held or the whole new set. Space is
// reserved before the first payload byte is written. A payload that a slot holds already is not written again: the new
// set gets a second name of it, once every byte of it was verified. Ending ctx ends the stage between two pieces: with
// the refusal that is its cause, or as Cancelled. The other reasons are those of the archive, Admit's, and NoSpace.
func (s *Store) Stage(ctx context.Context, slot bootctl.Slot, r *nxs.Reader, opt StageOptions) (Content, error) {
	return s.stageFrom(ctx, slot, stream{r}, opt)
}

// StageFile is Stage of a set that lies in a file, of which it reads several places at a time, each once.
func (s *Store) StageFile(ctx context.Context, slot bootctl.Slot, f io.ReaderAt, size int64, limits nxs.Limits,
	verify nxs.VerifyFunc, opt StageOptions) (Content, error) {
	return s.stageFrom(ctx, slot, newFile(f, size, limits, verify), opt)
}

func (s *Store) stageFrom(ctx context.Context, slot bootctl.Slot, a archive, opt StageOptions) (Content, error) {
	if err := checkSlot(slot); err != nil {
		return Content{}, fmt.Errorf("cannot stage: %w", err)
	}
	content, err := s.stage(slot, asked{a, opt.AdmitBundle}, &incoming{ctx: ctx, tell: opt.Progress}, opt)
	if err != nil {
		return Content{}, fmt.Errorf("cannot stage into slot %s: %w", slot, err)
	}
	return content, nil
}

func (s *Store) stage(slot bootctl.Slot, a archive, in *incoming, opt StageOptions) (Content, error) {
	if _, err := s.used(); err != nil { // what cannot be told apart from a leftover must not be added to
		return Content{}, err
	}
	head, err := a.open()
	if err != nil {
		return Content{}, err
	}
	if opt.Admit != nil {
		if err := opt.Admit(head); err != nil {
			return Content{}, err
		}
	}
	if s.has(head) {
		err = drain(head.Index, a, in)
	} else {
		err = s.add(head, a, in)
	}
	if err != nil {
		return Content{}, err
	}
	if opt.Verified != nil {
		if err := opt.Verified(); err != nil {
			s.drop(head.Digest)
			return Content{}, err
		}
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

// drain verifies the archive to its end and keeps nothing of it.
func drain(index nxs.Index, a archive, in *incoming) error {
	for _, entry := range index.Bundles {
		in.at.Reused += entry.PayloadSize
	}
	in.enter(Reused)
	return a.deliver(in, index, nothing{})
}
