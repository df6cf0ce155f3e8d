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
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	stage, err := s.engine.admitStage(s.life, call.Args().SizeBytes(), call.Args().Progress())
	if err != nil {
		return wire.Refuse(res.NewRefusal, err)
	}
	return res.SetSink(update.StageSink_ServerToClient(&sinkServer{stage}))
}

// admitStage starts a stage for a sender, who keeps the observer, or refuses it with an audit record.
func (e *engine) admitStage(life context.Context, sizeBytes uint64, observer update.StageProgress) (*stage, error) {
	size := int64(min(sizeBytes, 1<<62)) // over every limit, and an int64
	err := e.begin(size)
	var s *stage
	if err == nil {
		s, err = e.startStage(life, size, observer.AddRef())
	}
	if err != nil {
		e.audit("stage", subject{slot: e.snapshot().Standby(), size: size}, err)
	}
	return s, err
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
