package updated

import (
	"context"
	"fmt"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A recoveryServer is UpdateRecovery: an operator's way back.
type recoveryServer struct {
	engine *engine
}

// Rollback goes back by the code that goes back by itself.
func (s *recoveryServer) Rollback(ctx context.Context, call update.UpdateRecovery_rollback) error {
	call.Go()
	err := s.engine.rollback(ctx)
	res, allocErr := call.AllocResults()
	if err == nil || allocErr != nil {
		return allocErr
	}
	return convert.Refuse(res.NewRefusal, err)
}

func (e *engine) rollback(ctx context.Context) error {
	if !e.isStaging() {
		if err := e.lookBack(ctx); err != nil {
			return err
		}
	}
	var from subject
	err := e.idle(func(r bootctl.Record) (bootctl.Record, error) {
		from = about(r, r.Running())
		return r.Rollback(refusal.ByOperator, "an operator said so")
	})
	if err != nil {
		e.audit("rollback", from, err)
		return err
	}
	e.auditRollback(e.snapshot())
	return nil
}

// ClearQuarantine lets a set be tried again.
func (s *recoveryServer) ClearQuarantine(_ context.Context, call update.UpdateRecovery_clearQuarantine) error {
	call.Go()
	raw, err := call.Args().IndexSha256()
	if err != nil {
		return err
	}
	var digest nxs.Digest
	if len(raw) != len(digest) {
		return fmt.Errorf("cannot clear quarantine: the digest is %d bytes, not %d", len(raw), len(digest))
	}
	copy(digest[:], raw)
	err = s.engine.clearQuarantine(digest)
	res, allocErr := call.AllocResults()
	if err == nil || allocErr != nil {
		return allocErr
	}
	return convert.Refuse(res.NewRefusal, err)
}

func (e *engine) clearQuarantine(digest nxs.Digest) error {
	err := e.change(func(r bootctl.Record) (bootctl.Record, error) {
		return r.ClearQuarantine(bootctl.Digest(digest))
	})
	e.audit("clear", subject{digest: digest}, err)
	return err
}

// EndStage ends the stage under way, whoever began it.
func (s *recoveryServer) EndStage(ctx context.Context, call update.UpdateRecovery_endStage) error {
	call.Go()
	ended, err := s.engine.endStage(ctx)
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
