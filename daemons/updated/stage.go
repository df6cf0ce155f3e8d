package updated

import (
	"context"
	"errors"
	"os"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/libupdates/updater"
)

// stage starts a stage for a sender, who keeps the observer.
func (s *service) stage(ctx context.Context, size uint64, observer update.StageProgress,
	operator bool) (*updater.Stage, error) {
	return s.engine.Stage(ctx, updater.Request{
		Life: s.life, Size: size, Progress: newProgress(observer.AddRef(), int64(size)), Operator: operator,
	})
}

// write hands the next bytes to a stage.
func write(stage *updater.Stage, b []byte) error {
	if len(b) > int(update.MaxChunkBytes) {
		return errors.New("cannot take chunk: it is over 1 MiB")
	}
	return stage.Write(b)
}

// takeFile hands a file to the stage that waits for it.
func (s *service) takeFile(ticket string, f *os.File) { s.engine.TakeFile(ticket, handed{f}) }

// handed is a file that was handed over.
type handed struct{ *os.File }

func (f handed) Check() error { return plat.CheckHanded(f.File) }

// A sinkServer is the StageSink of one stage.
type sinkServer struct {
	*service
	stage *updater.Stage
}

// Write hands on the next bytes. It does not acknowledge early: one chunk at a time is how a fast sender is held back.
func (s *sinkServer) Write(_ context.Context, call update.StageSink_write) error {
	b, err := call.Args().Bytes()
	if err != nil {
		return err
	}
	return write(s.stage, b)
}

// Done waits for the outcome.
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
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetReusedBytes(uint64(reused))
	return res.SetSystem(s.stagedSystem(serial))
}

// Ticket says with which ticket a file has to come.
func (s *sinkServer) Ticket(_ context.Context, call update.StageSink_ticket) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	ticket, err := s.stage.Ticket()
	if err != nil {
		return err
	}
	return res.SetTicket(ticket)
}

// Shutdown runs when the sender dropped the sink, or died.
func (s *sinkServer) Shutdown() { s.stage.Drop() }
