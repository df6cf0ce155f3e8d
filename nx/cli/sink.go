package cli

import (
	"bytes"
	"context"

	"capnproto.org/go/capnp/v3/exc"
	"capnproto.org/go/capnp/v3/flowcontrol"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
)

// windowBytes is how much of an archive may be under way at one time.
const windowBytes = 4 << 20

// A sink takes an archive in, by whichever facet it was had.
type sink struct {
	write   func(context.Context, []byte) error   // the next bytes; they may be used again when it returns
	flush   func() error                          // waits until all bytes were taken
	ticket  func(context.Context) ([]byte, error) // instead of bytes: what an open file has to come with
	done    func(context.Context) (staged, error) // no more bytes: the outcome
	release func()                                // what was received is discarded unless it is done
}

// An opening asks for a sink for an archive of that many bytes, of whose progress the observer is told.
type opening func(ctx context.Context, sizeBytes uint64, progress update.StageProgress) (sink, error)

// outcome is how a call ended whose results may be a refusal.
func outcome[R interface {
	Refusal() (keystore.Refusal, error)
}](res R, err error) (R, error) {
	if err == nil {
		err = convert.Refused(res.Refusal())
	}
	return res, err
}

// copied keeps bytes of an answer beyond it.
func copied(b []byte, err error) ([]byte, error) { return bytes.Clone(b), err }

// toSwitch opens a sink whose outcome is a StagedSystem.
func (s *session) toSwitch(ctx context.Context, sizeBytes uint64, progress update.StageProgress) (sink, error) {
	updated, err := s.updated(ctx)
	if err != nil {
		progress.Release()
		return sink{}, err
	}
	defer updated.Release()
	answer, release := updated.StageSystem(ctx, func(p update.Updated_stageSystem_Params) error {
		p.SetSizeBytes(sizeBytes)
		return p.SetProgress(progress)
	})
	res, err := outcome(answer.Struct())
	if err == nil && !res.Sink().IsValid() {
		err = errGone
	}
	if err != nil {
		release()
		return sink{}, err
	}
	// A stream that failed takes no more calls through the reference it failed on, so done() goes over one of its own.
	stream, end := res.Sink(), res.Sink().AddRef()
	stream.SetFlowLimiter(flowcontrol.NewFixedLimiter(windowBytes))
	return sink{
		write: func(ctx context.Context, b []byte) error {
			return stream.Write(ctx, func(p update.StageSink_write_Params) error { return p.SetBytes(b) })
		},
		flush: stream.WaitStreaming,
		ticket: func(ctx context.Context) ([]byte, error) {
			answer, release := end.Ticket(ctx, nil)
			defer release()
			res, err := answer.Struct()
			if err != nil {
				return nil, err
			}
			return copied(res.Ticket())
		},
		done: func(ctx context.Context) (staged, error) {
			answer, release := end.Done(ctx, nil)
			defer release()
			res, err := outcome(answer.Struct())
			if err != nil {
				return staged{}, err
			}
			set, err := describe(ctx, res.System())
			set.ReusedBytes = res.ReusedBytes()
			return set, err
		},
		release: func() { end.Release(); release() },
	}, nil
}

// toStage opens a sink by the facet that can stage and no more. A system that does not know it yet is asked for the
// other one.
func (s *session) toStage(ctx context.Context, sizeBytes uint64, progress update.StageProgress) (sink, error) {
	stager, err := s.stager(ctx)
	if exc.IsType(err, exc.Unimplemented) {
		return s.toSwitch(ctx, sizeBytes, progress)
	}
	if err != nil {
		progress.Release()
		return sink{}, err
	}
	defer stager.Release()
	answer, release := stager.Stage(ctx, func(p update.UpdateStage_stage_Params) error {
		p.SetSizeBytes(sizeBytes)
		return p.SetProgress(progress)
	})
	res, err := outcome(answer.Struct())
	if err == nil && !res.Sink().IsValid() {
		err = errGone
	}
	if err != nil {
		release()
		return sink{}, err
	}
	stream, end := res.Sink(), res.Sink().AddRef()
	stream.SetFlowLimiter(flowcontrol.NewFixedLimiter(windowBytes))
	return sink{
		write: func(ctx context.Context, b []byte) error {
			return stream.Write(ctx, func(p update.StageOnlySink_write_Params) error { return p.SetBytes(b) })
		},
		flush: stream.WaitStreaming,
		ticket: func(ctx context.Context) ([]byte, error) {
			answer, release := end.Ticket(ctx, nil)
			defer release()
			res, err := answer.Struct()
			if err != nil {
				return nil, err
			}
			return copied(res.Ticket())
		},
		done: func(ctx context.Context) (staged, error) {
			answer, release := end.Done(ctx, nil)
			defer release()
			res, err := outcome(answer.Struct())
			if err != nil {
				return staged{}, err
			}
			set, err := readStaged(res.Staged())
			set.ReusedBytes = res.ReusedBytes()
			return set, err
		},
		release: func() { end.Release(); release() },
	}, nil
}
