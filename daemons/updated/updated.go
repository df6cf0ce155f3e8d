package updated

import (
	"context"

	"nexus/capnpgen/update"
	"nexus/daemons/wire"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// An updatedServer is Updated: it stages, and takes up what is staged.
type updatedServer struct {
	statusServer
	life context.Context // of the daemon: no stage outlives it
}

// StageSystem starts a stage and gives the sink for its bytes.
func (s *updatedServer) StageSystem(_ context.Context, call update.Updated_stageSystem) error {
	size := call.Args().SizeBytes()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if size > 1<<62 {
		size = 1 << 62 // over every limit, and an int64
	}
	if err := s.engine.begin(int64(size)); err != nil {
		standby := s.engine.snapshot().Standby()
		s.engine.audit("stage", subject{slot: standby, size: int64(size)}, err)
		return wire.Refuse(res.NewRefusal, err)
	}
	stage := s.engine.startStage(s.life, int64(size), call.Args().Progress().AddRef())
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
		return wire.Refuse(res.NewRefusal, refusal.New(refusal.NothingStaged, "nothing is staged"))
	}
	return res.SetSystem(s.engine.stagedSystem(r.StageSerial))
}
