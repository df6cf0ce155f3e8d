package updated

import (
	"context"
	"errors"
	"fmt"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
)

// A recoveryServer is UpdateRecovery: an operator's way back.
type recoveryServer struct {
	recovery *updater.Recovery
	endStage func(context.Context) (ended bool, err error)
	by       updater.Caller
}

// Rollback goes back.
func (s *recoveryServer) Rollback(ctx context.Context, call update.UpdateRecovery_rollback) error {
	call.Go()
	return convert.Answer(call.AllocResults, s.recovery.Rollback(updater.As(ctx, s.by)))
}

// ClearQuarantine lets a set be tried again.
func (s *recoveryServer) ClearQuarantine(ctx context.Context, call update.UpdateRecovery_clearQuarantine) error {
	call.Go()
	digest, err := digestIn(call.Args().IndexSha256())
	if err != nil {
		return fmt.Errorf("cannot clear quarantine: %w", err)
	}
	return convert.Answer(call.AllocResults, s.recovery.ClearQuarantine(updater.As(ctx, s.by), digest))
}

// LowerFloor lowers the version floor.
func (s *recoveryServer) LowerFloor(ctx context.Context, call update.UpdateRecovery_lowerFloor) error {
	call.Go()
	version, err := call.Args().SystemVersion()
	if err != nil {
		return err
	}
	return convert.Answer(call.AllocResults, s.recovery.LowerFloor(updater.As(ctx, s.by), version))
}

// EndStage ends the stage under way, whoever began it.
func (s *recoveryServer) EndStage(ctx context.Context, call update.UpdateRecovery_endStage) error {
	call.Go()
	ended, err := s.endStage(ctx)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetEnded(ended)
	return nil
}

// Scrub checks both slots.
func (s *recoveryServer) Scrub(ctx context.Context, call update.UpdateRecovery_scrub) error {
	call.Go()
	found, err := s.recovery.Scrub(updater.As(ctx, s.by))
	res, allocErr := call.AllocResults()
	switch {
	case allocErr != nil:
		return allocErr
	case err != nil:
		return convert.Refuse(res.NewRefusal, err)
	}
	list, err := res.NewSlots(int32(len(found)))
	if err != nil {
		return err
	}
	for i, check := range found {
		if err := setCheck(list.At(i), check); err != nil {
			return err
		}
	}
	return nil
}

func setCheck(m update.SlotCheck, c updater.SlotCheck) error {
	m.SetSlot(convert.Slot(c.Slot))
	if err := m.SetSystemVersion(c.Version); err != nil || c.Err == nil {
		return err
	}
	return errors.Join(m.SetReason(string(c.Reason())), m.SetDetail(refusal.DetailOf(c.Err)))
}
