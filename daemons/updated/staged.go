package updated

import (
	"context"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// stagedSystem makes the capability for one completed stage. This is the only place where one is made, and a serial is
// only had from a record that holds the stage.
func (e *engine) stagedSystem(serial uint64) update.StagedSystem {
	return update.StagedSystem_ServerToClient(&stagedServer{engine: e, serial: serial})
}

// A stagedServer is a StagedSystem: the authority to switch to, or to discard, exactly the set of that stage.
type stagedServer struct {
	engine *engine
	serial uint64
}

// Describe tells what is staged.
func (s *stagedServer) Describe(_ context.Context, call update.StagedSystem_describe) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return convert.Except(s.engine.describe(s.serial, res.NewSystem))
}

// describe fills what is known of a stage, given the method that makes it. Refused as Stale unless it is what is staged
// now.
func (e *engine) describe(serial uint64, make func() (update.StagedInfo, error)) error {
	r := e.snapshot()
	if r.Staged == bootctl.None || r.StageSerial != serial {
		return refusal.New(refusal.Stale, "the set is no longer staged")
	}
	info, err := make()
	if err != nil {
		return err
	}
	what := about(r, r.Staged)
	info.SetSlot(convert.Slot(what.slot))
	if err := info.SetSystemVersion(what.version); err != nil {
		return err
	}
	if err := info.SetIndexSha256(convert.Digest(what.digest)); err != nil {
		return err
	}
	return setBundles(info.NewBundles, e.content(r.Staged).Bundles)
}

// Switch puts the staged set on trial.
func (s *stagedServer) Switch(ctx context.Context, call update.StagedSystem_switch) error {
	call.Go()
	err := s.engine.switchTo(ctx, s.serial)
	res, allocErr := call.AllocResults()
	if err == nil || allocErr != nil {
		return allocErr
	}
	return convert.Refuse(res.NewRefusal, err)
}

// Discard empties the standby slot.
func (s *stagedServer) Discard(_ context.Context, call update.StagedSystem_discard) error {
	call.Go()
	err := s.engine.discard(s.serial)
	res, allocErr := call.AllocResults()
	if err == nil || allocErr != nil {
		return allocErr
	}
	return convert.Refuse(res.NewRefusal, err)
}

// switchTo asks first whether the set could run here at all, then puts it on trial.
func (e *engine) switchTo(ctx context.Context, serial uint64) error {
	r := e.snapshot()
	what := about(r, r.Staged)
	err := e.runnable(ctx, r, serial)
	if err == nil {
		// what is lost of the way back is said before the trial; a new set is what mends it
		err = e.inspect(ctx, r.Active)
	}
	if err == nil {
		err = e.idle(func(r bootctl.Record) (bootctl.Record, error) { return r.Switch(serial, e.tries) })
	}
	if err == nil {
		e.freePlace()
	}
	e.audit("switch", what, err)
	return err
}

// runnable refuses a staged set that bundlemgrd could not publish. What is stale is left to the state machine to
// refuse.
func (e *engine) runnable(ctx context.Context, r bootctl.Record, serial uint64) error {
	if r.Staged == bootctl.None || r.StageSerial != serial {
		return nil
	}
	return e.publisher.check(ctx, r.Staged, nxs.Digest(r.Slot(r.Staged).Digest))
}

// discard takes the set out of the record first: a record must never name a set that is not there. It holds the place
// of a stage, so that no stage fills the slot in between.
func (e *engine) discard(serial uint64) error {
	r := e.snapshot()
	what := about(r, r.Staged)
	err := e.takePlace()
	if err == nil {
		defer e.end()
		err = e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Discard(serial) })
	}
	if err == nil {
		err = e.empty(what.slot)
	}
	e.audit("discard", what, err)
	return err
}

func (e *engine) empty(slot bootctl.Slot) error {
	if slot == bootctl.None {
		return refusal.New(refusal.NothingStaged, "nothing is staged")
	}
	err := e.store.Empty(slot)
	e.touched()
	if err != nil {
		return err
	}
	return e.readSlots()
}
