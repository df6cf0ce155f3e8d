package updated

import (
	"context"
	"errors"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/updater"
)

// stagedSystem makes the capability for one completed stage. This is the only place where one is made, and the engine
// gives the number of a stage only once it is in the record.
func (s sender) stagedSystem(serial uint64) update.StagedSystem {
	return update.StagedSystem_ServerToClient(&stagedServer{s.engine.Staging, serial, s.by})
}

// A stagedServer is a StagedSystem: the authority to switch to, or to discard, exactly the set of that stage.
type stagedServer struct {
	staging *updater.Staging
	serial  uint64
	by      updater.Caller
}

// Describe tells what is staged.
func (s *stagedServer) Describe(_ context.Context, call update.StagedSystem_describe) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return convert.Except(describe(s.staging, s.serial, res.NewSystem))
}

// describe fills in what is known of a stage, given the method that makes it.
func describe(staging *updater.Staging, serial uint64, make func() (update.StagedInfo, error)) error {
	set, err := staging.Describe(serial)
	if err != nil {
		return err
	}
	info, err := make()
	if err != nil {
		return err
	}
	info.SetSlot(convert.Slot(set.Slot))
	return errors.Join(
		info.SetSystemVersion(set.Version), info.SetIndexSha256(convert.Digest(set.Digest)),
		setBundles(info.NewBundles, set.Bundles),
	)
}

// Switch puts the staged set on trial.
func (s *stagedServer) Switch(ctx context.Context, call update.StagedSystem_switch) error {
	call.Go()
	return convert.Answer(call.AllocResults, s.staging.Switch(updater.As(ctx, s.by), s.serial))
}

// Discard drops the staged set.
func (s *stagedServer) Discard(ctx context.Context, call update.StagedSystem_discard) error {
	call.Go()
	return convert.Answer(call.AllocResults, s.staging.Discard(updater.As(ctx, s.by), s.serial))
}
