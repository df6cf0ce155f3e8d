package updated

import (
	"context"
	"errors"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/updater"
)

// A stagerServer is UpdateStage: it brings sets and can do nothing with them. A StagedSystem is not among what it can
// make.
type stagerServer struct {
	*service
	operator bool // its client may switch to what it stages, by other means
}

// Stage starts a stage and gives the sink for its bytes.
func (s *stagerServer) Stage(ctx context.Context, call update.UpdateStage_stage) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	args := call.Args()
	stage, err := s.stage(ctx, args.SizeBytes(), args.Progress(), s.operator)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetSink(update.StageOnlySink_ServerToClient(&stagerSink{s.engine, stage}))
}

// A stagerSink is the StageOnlySink of one stage.
type stagerSink struct {
	engine *updater.Engine
	stage  *updater.Stage
}

// Write hands on the next bytes, one chunk at a time.
func (s *stagerSink) Write(_ context.Context, call update.StageOnlySink_write) error {
	b, err := call.Args().Bytes()
	if err != nil {
		return err
	}
	return write(s.stage, b)
}

// Done waits for the outcome and describes what is staged.
func (s *stagerSink) Done(ctx context.Context, call update.StageOnlySink_done) error {
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
		err = describe(s.engine, serial, res.NewStaged)
	}
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetReusedBytes(uint64(reused))
	return nil
}

// Ticket says with which ticket a file has to come.
func (s *stagerSink) Ticket(_ context.Context, call update.StageOnlySink_ticket) error {
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
func (s *stagerSink) Shutdown() { s.stage.Drop() }
