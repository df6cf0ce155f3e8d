package updated

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/vat/guard"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
)

// A sender is a client that may stage.
type sender struct {
	*service
	files    *guard.Files         // what it sends beside its calls; nil: it cannot
	hand     func(*os.File) error // sends a file beside the answer to a call; nil: it gets none
	operator bool                 // it may switch to what it stages, by this facet or another
	relays   bool                 // it says of each set whether that is for a client that may
	by       updater.Caller
	terms    updater.Terms
	over     func() // is called once the stage is over; nil: nobody wants to know
}

// begin begins a stage and returns the sink for its archive. The outcome is a StagedSystem if the sink may yield one.
func (s sender) begin(ctx context.Context, size uint64, observer update.StageProgress, resume bool,
	yields func(serial uint64) update.StagedSystem) (update.StageSink, error) {
	progress := newProgress(observer.AddRef(), int64(size))
	progress.over = s.over
	stage, err := s.engine.Staging.Stage(updater.As(ctx, s.by), updater.Request{
		Life: s.life, Size: size, Progress: progress, Operator: s.operator, Terms: s.terms,
		Resume: resume,
	})
	if err != nil {
		return update.StageSink{}, err
	}
	return update.StageSink_ServerToClient(&sinkServer{s.engine.Staging, stage, s.files, s.hand, yields}), nil
}

// onBehalf is the sender of a set for which it says that it is for a client that may switch.
func (s sender) onBehalf(operator bool) sender {
	s.operator = s.operator || s.relays && operator
	return s
}

// A stagerServer is UpdateStage: it brings sets and can do nothing with them. Its sinks yield no StagedSystem.
type stagerServer struct{ sender }

// Stage begins a stage.
func (s *stagerServer) Stage(ctx context.Context, call update.UpdateStage_stage) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	args := call.Args()
	sink, err := s.onBehalf(args.ForOperator()).begin(ctx, args.SizeBytes(), args.Progress(), args.Resume(), nil)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetSink(sink)
}

// Held tells which payloads the device holds.
func (s *stagerServer) Held(_ context.Context, call update.UpdateStage_held) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	held := s.engine.Held()
	list, err := res.NewPayloads(int32(len(held)))
	for i := 0; err == nil && i < len(held); i++ {
		err = list.Set(i, held[i][:])
	}
	return err
}

// UntilEnded waits until an operator ends stages.
func (s *stagerServer) UntilEnded(ctx context.Context, call update.UpdateStage_untilEnded) error {
	call.Go()
	operator := s.onBehalf(call.Args().ForOperator()).operator
	return convert.Answer(call.AllocResults, s.engine.Staging.UntilEnded(ctx, operator))
}

// A sinkServer is the StageSink of one stage.
type sinkServer struct {
	staging *updater.Staging
	stage   *updater.Stage
	files   *guard.Files
	hand    func(*os.File) error
	yields  func(serial uint64) update.StagedSystem // nil: the sender may not switch to what it stages
}

// Write hands on the next bytes. It does not acknowledge early: one chunk at a time is how a fast sender is held back.
func (s *sinkServer) Write(_ context.Context, call update.StageSink_write) error {
	b, err := call.Args().Bytes()
	if err != nil {
		return err
	}
	if len(b) > int(update.MaxChunkBytes) {
		return errors.New("cannot take chunk: it is over 1 MiB")
	}
	return s.stage.Write(b)
}

// Reuse takes what the device has of a payload. It waits for no other sender, and holds back the calls that follow.
func (s *sinkServer) Reuse(ctx context.Context, call update.StageSink_reuse) error {
	payload, err := digestIn(call.Args().PayloadSha256())
	if err != nil {
		return fmt.Errorf("cannot reuse payload: %w", err)
	}
	size, err := s.stage.Reuse(ctx, payload)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err == nil {
		res.SetBytes(uint64(size))
	}
	return err
}

// Stream hands out a pipe, from which the next bytes are read. Only fetchd gets one: on a link that others pass on, it
// would not arrive.
func (s *sinkServer) Stream(_ context.Context, call update.StageSink_stream) error {
	if s.hand == nil {
		return errors.New("cannot take stream: only fetchd may send one")
	}
	out, in, err := plat.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	size := min(call.Args().Bytes(), math.MaxInt64)
	if err := s.stage.TakeStream(out, int64(size)); err != nil {
		return err
	}
	if err := s.hand(in); err != nil {
		return err
	}
	_, err = call.AllocResults()
	return err
}

// Patch has a payload made by a patch, whose bytes come next.
func (s *sinkServer) Patch(ctx context.Context, call update.StageSink_patch) error {
	args := call.Args()
	sum, err := digestIn(args.PayloadSha256())
	if err != nil {
		return fmt.Errorf("cannot patch payload: %w", err)
	}
	index, err := args.Index()
	if err != nil {
		return err
	}
	signature, err := args.Signature()
	if err != nil {
		return err
	}
	had, err := s.stage.Patch(ctx, bytes.Clone(index), bytes.Clone(signature), sum)
	if err != nil && refusal.Of(err) == refusal.IO {
		return err
	}
	res, allocErr := call.AllocResults()
	switch {
	case allocErr != nil:
		return allocErr
	case err != nil:
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetBytes(uint64(had))
	return nil
}

// digestIn takes what the getter of a message returns.
func digestIn(raw []byte, err error) (sum nxs.Digest, _ error) {
	if err == nil && len(raw) != len(sum) {
		err = fmt.Errorf("the digest is %d bytes, not %d", len(raw), len(sum))
	}
	copy(sum[:], raw)
	return sum, err
}

// File takes the file that came with the call as the archive.
func (s *sinkServer) File(_ context.Context, call update.StageSink_file) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	file := s.files.Take()
	if file == nil {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.BadFile, "no file came with the call"))
	}
	if err := plat.CheckHanded(file); err != nil {
		file.Close()
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.BadFile, "the file that was handed over: %v", err))
	}
	return s.stage.TakeFile(file)
}

// Done waits for the outcome and describes what is staged.
func (s *sinkServer) Done(ctx context.Context, call update.StageSink_done) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	serial, reused, err := s.stage.Finish(ctx)
	if errors.Is(err, updater.ErrFinished) {
		return err
	}
	if err == nil {
		err = describe(s.staging, serial, res.NewStaged)
	}
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetReusedBytes(uint64(reused))
	if s.yields == nil {
		return nil
	}
	return res.SetSystem(s.yields(serial))
}

// Shutdown runs when the sender dropped the sink, or died.
func (s *sinkServer) Shutdown() { s.stage.Drop() }
