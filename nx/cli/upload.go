package cli

import (
	"context"
	"io"

	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A staged is a set that waits for its switch.
type staged struct {
	Slot          string      `json:"slot"` // that a switch puts it into
	SystemVersion string      `json:"systemVersion"`
	IndexSHA256   string      `json:"indexSha256"`
	Bundles       []bundleRef `json:"bundles"`
	// of payloads that were in place already, known to whoever staged it
	ReusedBytes uint64 `json:"reusedBytes,omitempty"`
	// that came from a registry, where the set did
	FetchedBytes *uint64 `json:"fetchedBytes,omitempty"`
	// of payloads that patches from a registry made
	PatchedBytes uint64      `json:"patchedBytes,omitempty"`
	Unpatched    []unpatched `json:"unpatched,omitempty"`

	updateclient.Set `json:"-"`
}

// An unpatched is a bundle that was fetched although there are patches for it.
type unpatched struct {
	Bundle string `json:"bundle"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

// uploadSet stages a file through the sink that open asks for. When it does not return a set, the system has discarded
// what it received, or the error says that it has not.
func uploadSet(ctx context.Context, s *session, set archive, show progress, open opening) (staged, error) {
	result, err := sendSet(ctx, set, show, open)
	if err != nil {
		err = whatBecame(ctx, s, err)
	}
	return result, err
}

// sendSet sends the archive: as an open file where the system can take one, else as bytes.
func sendSet(ctx context.Context, set archive, show progress, open opening) (staged, error) {
	defer show.end()
	sink := open(ctx, uint64(set.size), update.StageProgress_ServerToClient(&progressServer{show}))
	defer sink.Release()
	result, err := sink.Send(ctx, io.NewSectionReader(plainReader{set.File}, 0, set.size), set.File)
	if err == nil {
		show.whole(uint64(set.size))
	}
	return stagedOf(result, err)
}

// A plainReader reads a file, and does not name it again where that fails.
type plainReader struct{ io.ReaderAt }

func (r plainReader) ReadAt(b []byte, at int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(b, at)
	return n, plain(err)
}

// stagedOf is a set as it is shown.
func stagedOf(set updateclient.Set, err error) (staged, error) {
	return staged{
		Slot: set.Slot.String(), SystemVersion: set.Version, IndexSHA256: hexOf(nxs.Digest(set.Digest)),
		Bundles: set.Bundles, ReusedBytes: set.Reused, Set: set,
	}, err
}

// whatBecame says how a stage ended that nobody answered for: it was interrupted here, or updated ended under it. The
// system goes on, so it knows whether the set is staged.
func whatBecame(ctx context.Context, s *session, err error) error {
	interrupted := ctx.Err() != nil
	if !interrupted && !lost(err) {
		return err
	}
	ctx, cancel := patient(context.WithoutCancel(ctx))
	defer cancel()
	if !s.answers(ctx) {
		return err
	}
	now, stateErr := readState(ctx, &s.facets)
	for (lost(stateErr) || stateErr == nil && now.Staging) && s.pause(ctx, askAgainAfter) == nil {
		now, stateErr = readState(ctx, &s.facets)
	}
	what, reason := "updated ended", refusal.Disconnected
	if interrupted {
		what, reason = "interrupted", refusal.Cancelled
	}
	switch {
	case stateErr == nil && now.StagedSlot != nil:
		return &failure{text: what + ", but " + orElse(now.slot(*now.StagedSlot).SystemVersion, "a set") +
			" is staged", reason: reason,
			hint: "`NX switch` puts it on trial, `NX discard` drops it"}
	case stateErr != nil || interrupted:
		return err
	default:
		return &failure{text: "updated ended before the set was complete, and was started again: nothing is staged",
			reason: reason, hint: "nothing has changed: try again"}
	}
}
