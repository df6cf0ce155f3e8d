package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/libupdates/refusal"
)

// chunkBytes is how much of an archive is sent in one piece.
const chunkBytes = 512 << 10

// A staged is a set in the standby slot.
type staged struct {
	Slot          string      `json:"slot"`
	SystemVersion string      `json:"systemVersion"`
	IndexSHA256   string      `json:"indexSha256"`
	Bundles       []bundleRef `json:"bundles"`
	// of payloads that were in place already, known to whoever staged it
	ReusedBytes uint64 `json:"reusedBytes,omitempty"`

	// the power to switch to it, null where it was only to be staged; whoever has it releases it
	system update.StagedSystem
}

// upload stages a file through the sink that open asks for. When it does not return a set, the system has discarded
// what it received, or the error says that it has not.
func (s *session) upload(ctx context.Context, set archive, show progress, open opening) (staged, error) {
	defer show.end()
	result, err := s.send(ctx, set, show, open)
	if err != nil {
		err = s.whatBecame(ctx, err)
	}
	return result, err
}

// send sends the archive: as an open file where the system can take one, else as bytes.
func (s *session) send(ctx context.Context, set archive, show progress, open opening) (staged, error) {
	handed := s.hand(ctx, set.File)
	defer handed.Release()
	sink, err := open(ctx, uint64(set.size), update.StageProgress_ServerToClient(&progressServer{show}))
	if err != nil {
		return staged{}, err
	}
	defer sink.release()
	if handed.IsValid() {
		return sink.lend(ctx, handed)
	}
	return sink.pour(ctx, io.NewSectionReader(set, 0, set.size))
}

// whatBecame says how a stage ended that nobody answered for: it was interrupted here, or updated ended under it. The
// system goes on, so it knows whether the set is staged.
func (s *session) whatBecame(ctx context.Context, err error) error {
	interrupted := ctx.Err() != nil
	if s.ended() || !interrupted && !lost(err) {
		return err
	}
	ctx, cancel := patient(context.WithoutCancel(ctx))
	defer cancel()
	now, stateErr := s.state(ctx)
	for (lost(stateErr) || stateErr == nil && now.Staging) && s.pause(ctx, askAgainAfter) == nil {
		now, stateErr = s.state(ctx)
	}
	what, reason := "updated ended", refusal.Disconnected
	if interrupted {
		what, reason = "interrupted", refusal.Cancelled
	}
	switch {
	case stateErr == nil && now.StagedSlot != nil:
		return &failure{text: what + ", but " + now.place(*now.StagedSlot) + " is staged", reason: reason,
			hint: "`nx switch` puts it on trial, `nx discard` drops it"}
	case stateErr != nil || interrupted:
		return err
	default:
		return &failure{text: "updated ended before the set was complete, and was started again: nothing is staged",
			reason: reason, hint: "nothing has changed: try again"}
	}
}

// hand hands an open file over. The result is null where that is not possible: the system is on another machine, or an
// older one, or does not take files of that kind.
func (s *session) hand(ctx context.Context, file *os.File) operator.HandedFile {
	if s.conn.Attach(file) != nil {
		return operator.HandedFile{}
	}
	answer, release := s.operator.HandFile(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil || !res.File().IsValid() {
		return operator.HandedFile{} // what else is wrong will show again
	}
	return res.File().AddRef()
}

// lend lets the system read the archive by itself.
func (k sink) lend(ctx context.Context, file operator.HandedFile) (staged, error) {
	ticket, err := k.ticket(ctx)
	if err != nil {
		return staged{}, err
	}
	answer, release := file.Give(ctx, func(p operator.HandedFile_give_Params) error { return p.SetTicket(ticket) })
	defer release()
	if _, err := outcome(answer.Struct()); err != nil {
		return staged{}, err
	}
	result, err := k.done(ctx)
	if err != nil && ctx.Err() != nil {
		return staged{}, context.Cause(ctx)
	}
	return result, err
}

// pour sends the archive. When the system stops taking it, done says why.
func (k sink) pour(ctx context.Context, archive io.Reader) (staged, error) {
	sendErr := k.send(ctx, archive)
	if ctx.Err() != nil {
		return staged{}, context.Cause(ctx)
	}
	result, err := k.done(ctx)
	if err == nil && sendErr != nil {
		result.system.Release()
		err = sendErr // done cannot accept what did not arrive; if it does, do not believe it
	}
	return result, err
}

func (k sink) send(ctx context.Context, archive io.Reader) error {
	chunk := make([]byte, chunkBytes)
	for {
		n, err := io.ReadFull(archive, chunk)
		if n > 0 {
			if err := k.write(ctx, chunk[:n]); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return k.flush()
		default:
			return fmt.Errorf("cannot read archive: %w", plain(err))
		}
	}
}

// describe asks what is staged. The caller keeps system, and releases the reference in the result.
func describe(ctx context.Context, system update.StagedSystem) (staged, error) {
	if !system.IsValid() {
		return staged{}, errGone
	}
	answer, release := system.Describe(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return staged{}, err
	}
	result, err := readStaged(res.System())
	if err != nil {
		return staged{}, err
	}
	result.system = system.AddRef()
	return result, nil
}

// readStaged takes what the getter of a message returns.
func readStaged(m update.StagedInfo, err error) (staged, error) {
	if err != nil {
		return staged{}, err
	}
	var r reader
	return staged{
		Slot: slotName(m.Slot()), SystemVersion: r.text(m.SystemVersion()), IndexSHA256: r.digest(m.IndexSha256()),
		Bundles: r.bundleRefs(m.Bundles()),
	}, r.err
}
