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

// StageOptions are the owner's hooks into a stage. All are optional.
type StageOptions struct {
	// Roots takes the roots that the set brings, before its signature is verified. An error ends the stage.
	Roots nxs.RootsFunc
	// Admit is called once the signature is verified and the index parsed, before anything is written. An error ends
	// the stage.
	Admit func(*nxs.Head) error
	// AdmitBundle is called for each bundle, after its manifest is verified and before its payload is received. An
	// error ends the stage.
	AdmitBundle func(nxs.Index, nxb.Manifest) error
	// Verified is called once the whole set is verified and durable, before what was staged is given up. An error ends
	// the stage.
	Verified func() error
	// Patch applies the patches of a delta; nil: they are applied here.
	Patch nxs.PatchFunc
	// Progress is called at each new phase and bundle, and at most once per MiB of payload.
	Progress func(Progress)
	// Resume keeps what was received when ctx ends the stage, or its process dies, and goes on with what such a stage
	// of the same set has kept. All other stages drop that.
	Resume bool
	// Begun is called when the first payload can come, with what need not be sent of payloads.
	Begun func(Here)
}

// Here is what a sender need not send. It is of use until the stage ends.
type Here interface {
	// Have returns how much the device has of the payload with a digest. If that is all of it, every byte was verified
	// for this stage and none has to come (nxs.HeldError); from is nil. If it is the beginning, from has it, and of
	// these bytes only the number is certain. The caller closes what is not nil.
	Have(nxs.Digest) (from io.ReadCloser, size int64, err error)
	// Expect begins to receive the patch that a delta of this set has for the payload with a digest. Index and
	// signature of the delta are verified first, and then all bytes of the base. Refusals: InvalidSignature,
	// BadSchemaVersion, BadIndex, MissingBase, also if the delta has no patch for it, and NoSpace. The caller closes
	// the Arriving.
	Expect(rawDelta, signature []byte, payload nxs.Digest) (*Arriving, error)
}

// Progress is the progress of a stage.
type Progress struct {
	Phase     Phase
	DoneBytes int64  // bytes of the archive received and verified
	Bundle    string // the bundle being received; empty before the first
	Reused    int64  // bytes of payloads that were on disk already: verified again, but not written again
}

// A Phase is a phase of a stage.
type Phase uint8

// The phases.
const (
	Receiving  Phase = iota // receiving and verifying
	Publishing              // all verified; making the slot durable
	// the set was on disk already and was verified again; the archive is verified, but not written
	Reused
)

// Stage receives a set, or a delta that makes it, and makes the slot lead to it: Staged, or the first slot of a device
// whose slots are empty. The set is verified while it is written, and durable when Stage returns.
//
// After any refusal or error the slot holds what it held, and everything written is removed, at the next Open if the
// disk fails even then. After a power cut at any moment, the slot holds what it held or the whole new set. Space is
// reserved before the first payload byte is written. A payload that is in a slot already is not written again: the new
// set gets a second name of the file after every byte of it has been verified. A delta is refused as MissingBase before
// anything is written if a payload that it needs is not in the slots, or is damaged there. Canceling ctx ends the stage
// at the next piece, with the refusal that is its cause, or as Cancelled. The other refusals are those of the archive,
// those of the hooks, and NoSpace.
func (s *Store) Stage(ctx context.Context, slot bootctl.Slot, r *nxs.Reader, opt StageOptions) (Content, error) {
	r.TakeRoots(opt.Roots)
	return s.stageFrom(ctx, slot, &stream{reader: r, patch: opt.Patch}, opt)
}

// StageFile is Stage for an archive in a file. The payloads of a set are read in parallel; every byte is read once.
func (s *Store) StageFile(ctx context.Context, slot bootctl.Slot, f io.ReaderAt, size int64, limits nxs.Limits,
	verify nxs.VerifyFunc, opt StageOptions) (Content, error) {
	opt.Resume = false // the whole archive is there: nothing is saved by it
	archive := newFile(f, size, limits, verify, opt.Patch)
	archive.set.TakeRoots(opt.Roots)
	return s.stageFrom(ctx, slot, archive, opt)
}

func (s *Store) stageFrom(ctx context.Context, slot bootctl.Slot, a archive, opt StageOptions) (Content, error) {
	err := checkLink(slot)
	if err == nil {
		_, err = s.fs.used() // else leftovers could not be told from sets
	}
	if err != nil {
		return Content{}, fmt.Errorf("cannot stage: %w", err)
	}
	one := &stage{fs: s.fs, archive: asked{a, opt.AdmitBundle}, opt: opt,
		in: &incoming{ctx: ctx, tell: opt.Progress, resume: opt.Resume}}
	content, err := one.run(slot)
	if err != nil {
		return Content{}, fmt.Errorf("cannot stage: %w", err)
	}
	return content, nil
}

// A stage is one archive on its way into a slot.
type stage struct {
	fs      disk
	archive archive
	opt     StageOptions
	in      *incoming
	head    *nxs.Head // of the archive, once it is open
	dir     string    // where the set is received
}

func (s *stage) run(slot bootctl.Slot) (Content, error) {
	var err error
	if s.head, err = s.archive.open(); err != nil {
		return Content{}, err
	}
	if s.opt.Admit != nil {
		if err := s.opt.Admit(s.head); err != nil {
			return Content{}, err
		}
	}
	has := s.has()
	switch err = s.in.ended(); {
	case err != nil:
	case has:
		err = s.drain()
	default:
		err = s.add()
	}
	if err != nil {
		return Content{}, err
	}
	if s.opt.Verified != nil {
		if err := s.opt.Verified(); err != nil {
			s.fs.drop(s.head.Digest)
			return Content{}, err
		}
	}
	if err := s.fs.point(slot, s.head.Digest); err != nil {
		return Content{}, err
	}
	return contentOf(s.head.Digest, s.head.Index), nil
}

// has reports whether this set is already on disk, with the same signatures and every byte intact.
func (s *stage) has() bool {
	set := stored{s.fs, s.head.Digest}
	if _, err := set.rawIndex(); err != nil {
		return false
	}
	proof, err := set.proof()
	if err != nil || !bytes.Equal(proof, s.head.Proof()) {
		return false
	}
	_, err = set.checkBundles(s.in.ctx, s.head.Index, everything)
	return err == nil
}

// drain verifies the archive to its end and stores nothing.
func (s *stage) drain() error {
	if err := s.fs.RemoveAll(keptDir); err != nil {
		return err
	}
	for _, entry := range s.head.Index.Bundles {
		s.in.at.Reused += entry.PayloadSize
	}
	s.in.enter(Reused)
	if s.opt.Begun != nil {
		s.opt.Begun(stored{s.fs, s.head.Digest})
	}
	return s.archive.deliver(s.in, s.head.Index, nothing{})
}
