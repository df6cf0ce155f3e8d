package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// verify checks that a slot holds what the record says, to the last byte.
func (e *Engine) verify(ctx context.Context, slot bootctl.Slot) error {
	c := e.Record().Slot(slot)
	if c.IsEmpty() && c.Damage != "" {
		return refusal.New(c.Damage, "slot %s has lost its set", slot)
	}
	return e.store.Verify(slot, nxs.Digest(c.Digest), e.verifyBy(ctx))
}

// damaged marks a slot in which damage was found, durably, and reports whether another slot is to run now.
func (e *Engine) damaged(slot bootctl.Slot, reason refusal.Reason, found error) (moved bool, err error) {
	before := e.Record()
	what := about(before, slot)
	what.Reason, what.Detail = reason, refusal.DetailOf(found)
	err = e.change(func(r bootctl.Record) (bootctl.Record, error) {
		if held := r.Slot(slot); held.IsEmpty() || held.Digest != before.Slot(slot).Digest {
			return r, nil // there is nothing to mark, or it was about another set
		}
		return r.Damage(slot, reason, what.Detail)
	})
	if err != nil {
		return false, err
	}
	after := e.Record()
	moved = after.Running() != before.Running()
	e.auditAs("damaged", what, Failed)
	if moved {
		e.auditRollback(after)
	}
	return moved, nil
}

// mended takes the mark from a slot that was found intact.
func (e *Engine) mended(slot bootctl.Slot) error {
	if e.Record().Slot(slot).Damage == "" {
		return nil
	}
	if err := e.readSlots(); err != nil {
		return err
	}
	return e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Mended(slot), nil })
}

// lookBack looks at the slot that a rollback leads to before one is decided on: no set is left for one that is not
// there any more. A look that fails says nothing. Barred is why the set there may not run, such as that its key is no
// longer trusted.
func (e *Engine) lookBack(ctx context.Context) (barred, err error) {
	r := e.Record()
	return e.inspect(ctx, r.Running().Other())
}

// inspect marks a slot that should hold a set, if damage is found in it. A mark that is there stays.
func (e *Engine) inspect(ctx context.Context, slot bootctl.Slot) (barred, err error) {
	if c := e.Record().Slot(slot); c.IsEmpty() || c.Damage != "" {
		return nil, nil
	}
	found := e.verify(ctx, slot)
	if reason, damaged := slots.DamageOf(found); damaged {
		_, err := e.damaged(slot, reason, found)
		return nil, err
	}
	switch refusal.Of(found) {
	case refusal.InvalidSignature, refusal.UntrustedPublisher, refusal.ThresholdNotMet, refusal.KeyRevoked,
		refusal.SetRevoked:
		return found, nil
	}
	return nil, nil
}

// acquit takes the mark from a slot that holds its set after all: what could not be read once may be readable now.
func (e *Engine) acquit(ctx context.Context, slot bootctl.Slot) error {
	if e.Record().Slot(slot).Damage == "" || e.verify(ctx, slot) != nil {
		return nil
	}
	return e.mended(slot)
}

// A SlotCheck is what a check of one slot found.
type SlotCheck struct {
	Slot    bootctl.Slot
	Version string
	Err     error // nil: every byte is what was signed
}

// Reason is why the slot did not pass; empty if it did.
func (c SlotCheck) Reason() refusal.Reason {
	if reason, damaged := slots.DamageOf(c.Err); damaged {
		return reason
	}
	if c.Err == nil {
		return ""
	}
	return refusal.Of(c.Err)
}

// Scrub checks both slots, and the staged set if there is one, as if they had just arrived, one after the other. It
// holds the place of a stage, so that nothing is written meanwhile.
func (e *Engine) Scrub(ctx context.Context) ([]SlotCheck, error) {
	if err := e.takePlace(); err != nil {
		return nil, err
	}
	defer e.end()
	staged, err := e.checkStaged(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.readSlots(); err != nil {
		return nil, err
	}
	if err := e.agree(); err != nil {
		return nil, err
	}
	var all []SlotCheck
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		check, err := e.check(ctx, slot)
		if err != nil {
			return nil, err
		}
		all = append(all, check)
	}
	return append(all, staged...), nil
}

// checkStaged checks what is staged, if anything is, before a look at the slots forgets what cannot be read.
func (e *Engine) checkStaged(ctx context.Context) ([]SlotCheck, error) {
	if e.Record().Staged.IsEmpty() {
		return nil, nil
	}
	check, err := e.check(ctx, bootctl.Staged)
	if err == nil && e.Record().Staged.IsEmpty() {
		e.tidy()
	}
	return []SlotCheck{check}, err
}

// check reads every byte of a slot and puts what it found into the record.
func (e *Engine) check(ctx context.Context, slot bootctl.Slot) (SlotCheck, error) {
	found := e.verify(ctx, slot)
	content := e.Record().Slot(slot)
	result := SlotCheck{Slot: slot, Version: content.Version, Err: found}
	reason, damaged := slots.DamageOf(found)
	switch {
	case content.IsEmpty():
		return result, nil
	case damaged:
		_, err := e.damaged(slot, reason, found)
		return result, err
	case found == nil:
		if err := e.mended(slot); err != nil {
			return result, err
		}
	}
	e.audit("verify", about(e.Record(), slot), found)
	return result, nil
}
