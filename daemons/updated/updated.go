package updated

import (
	"context"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// An updatedServer is Updated: it stages, and takes up what is staged.
type updatedServer struct {
	statusServer
	life context.Context // of the daemon: no stage outlives it
}

// StageSystem starts a stage and gives the sink for its bytes.
func (s *updatedServer) StageSystem(ctx context.Context, call update.Updated_stageSystem) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	args := call.Args()
	stage, err := s.engine.admitStage(ctx, request{s.life, args.SizeBytes(), args.Progress(), true})
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetSink(update.StageSink_ServerToClient(&sinkServer{stage}))
}

// Staged gives the capability for what is staged.
func (s *updatedServer) Staged(_ context.Context, call update.Updated_staged) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	r := s.engine.snapshot()
	if r.Staged == bootctl.None {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.NothingStaged, "nothing is staged"))
	}
	return res.SetSystem(s.engine.stagedSystem(r.StageSerial))
}
