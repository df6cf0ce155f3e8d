package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Rollback goes back at an operator's order, by the same step as a rollback that nobody ordered. It does not lead to a
// set that may not run, as NoPrevious: an operator who wants what runs to end has other ways.
func (e *Engine) Rollback(ctx context.Context) error {
	barred, err := e.lookBack(ctx)
	if err != nil {
		return err
	}
	var from Audit
	err = e.change(func(r bootctl.Record) (bootctl.Record, error) {
		from = about(r, r.Running())
		next, err := r.Rollback(refusal.ByOperator, "an operator said so")
		if err == nil && barred != nil {
			return r, refusal.New(refusal.NoPrevious,
				"there is nothing to return to in slot %s: the set there may not run: %s",
				r.Running().Other(), refusal.DetailOf(barred))
		}
		return next, err
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
