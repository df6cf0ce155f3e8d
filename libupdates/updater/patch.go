package updater

import (
	"context"
	"errors"
	"fmt"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// errPatchComes is for a sender that has not sent all of a patch.
var errPatchComes = errors.New("cannot take payload: the bytes of a patch come first")

// asks notes for which payload the sender asks.
func (s *Stage) asks(payload nxs.Digest) error {
	s.patching.Lock()
	defer s.patching.Unlock()
	if s.arriving != nil {
		return errPatchComes
	}
	if s.reused != payload {
		s.reused, s.reusedBytes = payload, 0
	}
	return nil
}

// Patch has a payload made by the patch of a delta, in place of the sender's next bytes: those of the rest of its
// content, after what Reuse has taken of it. What the sender writes next is the patch, but for its first bytes, which
// are here: it returns how many. It waits until the head of the set has been verified. After a refusal the sender goes
// on as if it had not asked.
func (s *Stage) Patch(ctx context.Context, rawDelta, signature []byte, payload nxs.Digest) (had int64, err error) {
	if err := s.streamed(ctx); err != nil {
		return 0, err
	}
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	s.writing.Add(1) // the sender waits for us
	defer s.writing.Add(-1)
	if err := s.asks(payload); err != nil {
		return 0, err
	}
	s.patching.Lock()
	defer s.patching.Unlock()
	if s.ended {
		return 0, errOver
	}
	arriving, err := s.here.Expect(rawDelta, signature, payload)
	if err != nil {
		return 0, err
	}
	s.arriving = arriving
	if err := s.writePatch(nil); err != nil {
		return 0, fmt.Errorf("cannot apply patch: %v", err) // not a refusal: the stage has ended
	}
	return arriving.Had, nil
}

// takePatch takes what is of a patch, and returns the rest.
func (s *Stage) takePatch(b []byte) (rest []byte, err error) {
	s.patching.Lock()
	defer s.patching.Unlock()
	if s.arriving == nil {
		return b, nil
	}
	n := min(s.arriving.Left(), int64(len(b)))
	return b[n:], s.writePatch(b[:n])
}

// writePatch writes bytes of the patch, and after the last of them has the payload made.
func (s *Stage) writePatch(b []byte) error {
	n, err := s.arriving.Write(b)
	s.received.Add(int64(n))
	if err == nil && s.arriving.Left() > 0 {
		return nil
	}
	if err == nil {
		err = s.arriving.Make(s.in, s.reusedBytes)
	}
	if err = errors.Join(err, s.closePatch()); err != nil {
		s.fail(err)
	}
	return err
}

// fail ends the stage for a fault of a patch, so that nothing is kept of it, or because nobody is there to apply it.
func (s *Stage) fail(err error) {
	if refusal.Of(err) == refusal.Disconnected {
		s.cancel(err)
		return
	}
	s.in.CloseWithError(err)
}

func (s *Stage) closePatch() error {
	arriving := s.arriving
	s.arriving = nil
	if arriving == nil {
		return nil
	}
	return arriving.Close()
}

// endPatch waits for the call under way and takes no more of patches: what comes later may be of another stage.
func (s *Stage) endPatch() {
	s.patching.Lock()
	defer s.patching.Unlock()
	s.ended = true
	_ = s.closePatch() // what came is there in whole blocks
}
