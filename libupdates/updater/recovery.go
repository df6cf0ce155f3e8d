package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Rollback goes back at an operator's order, by the same step as a rollback that nobody ordered.
func (e *Engine) Rollback(ctx context.Context) error {
	if err := e.lookBack(ctx); err != nil {
		return err
	}
	var from Audit
	err := e.change(func(r bootctl.Record) (bootctl.Record, error) {
		from = about(r, r.Running())
		return r.Rollback(refusal.ByOperator, "an operator said so")
	})
	if err != nil {
		e.audit("rollback", from, err)
		return err
	}
	e.auditRollback(e.Record())
	return nil
}

// ClearQuarantine lets a set be tried again.
func (e *Engine) ClearQuarantine(set nxs.Digest) error {
	err := e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.ClearQuarantine(bootctl.Digest(set)) })
	e.audit("clear", Audit{Digest: set}, err)
	return err
}

// LowerFloor lowers the version floor.
func (e *Engine) LowerFloor(version string) error {
	err := e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.LowerFloor(version) })
	e.audit("floor", Audit{Version: version}, err)
	return err
}
