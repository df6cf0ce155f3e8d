package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Recovery is an operator's way back: to the set before, out of quarantine, below the floor. It also looks for damage.
type Recovery struct {
	ledger    *ledger
	inspector *inspector
	slots     *inventory
	place     *place
	log       journal
	busy      func() error // see Config
}

// Rollback goes back at an operator's order, by the same step as a rollback that nobody ordered. It does not lead to a
// set that may not run, as NoPrevious: an operator who wants what runs to end has other ways. Nor does it, as
// TrialInProgress, while another slot pair must not be disturbed.
func (y *Recovery) Rollback(ctx context.Context) error {
	barred, err := y.inspector.lookBack(ctx)
	if err != nil {
		return err
	}
	var from Audit
	busy := y.busy()
	err = y.ledger.change(func(r bootctl.Record) (bootctl.Record, error) {
		from = about(r, r.Running())
		if busy != nil {
			return r, busy
		}
		next, err := r.Rollback(refusal.ByOperator, "an operator said so")
		if err == nil && barred != nil {
			return r, refusal.New(refusal.NoPrevious,
				"there is nothing to return to in slot %s: the set there may not run: %s",
				r.Running().Other(), refusal.DetailOf(barred))
		}
		return next, err
	})
	if err != nil {
		y.log.by(ctx).step("rollback", from, err)
		return err
	}
	y.log.by(ctx).rollback(y.ledger.Record())
	return nil
}

// ClearQuarantine lets a set be tried again.
func (y *Recovery) ClearQuarantine(ctx context.Context, set nxs.Digest) error {
	err := y.ledger.change(func(r bootctl.Record) (bootctl.Record, error) {
		return r.ClearQuarantine(bootctl.Digest(set))
	})
	y.log.by(ctx).step("clear", Audit{Digest: set}, err)
	return err
}

// LowerFloor lowers the version floor.
func (y *Recovery) LowerFloor(ctx context.Context, version string) error {
	err := y.ledger.change(func(r bootctl.Record) (bootctl.Record, error) { return r.LowerFloor(version) })
	y.log.by(ctx).step("floor", Audit{Version: version}, err)
	return err
}

// Scrub checks both slots, and the staged set if there is one, as if they had just arrived, one after the other. It
// holds the place of a stage, so that nothing is written meanwhile.
func (y *Recovery) Scrub(ctx context.Context) ([]SlotCheck, error) {
	if err := y.ledger.takePlace(); err != nil {
		return nil, err
	}
	defer y.place.end()
	staged, err := y.checkStaged(ctx)
	if err != nil {
		return nil, err
	}
	if err := y.slots.read(); err != nil {
		return nil, err
	}
	if err := y.ledger.agree(); err != nil {
		return nil, err
	}
	var all []SlotCheck
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		check, err := y.inspector.check(ctx, slot)
		if err != nil {
			return nil, err
		}
		all = append(all, check)
	}
	return append(all, staged...), nil
}

// checkStaged checks what is staged, if anything is, before a look at the slots forgets what cannot be read.
func (y *Recovery) checkStaged(ctx context.Context) ([]SlotCheck, error) {
	if y.ledger.Record().Staged.IsEmpty() {
		return nil, nil
	}
	check, err := y.inspector.check(ctx, bootctl.Staged)
	if err == nil && y.ledger.Record().Staged.IsEmpty() {
		y.ledger.tidy()
	}
	return []SlotCheck{check}, err
}
