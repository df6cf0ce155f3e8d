package updated

import (
	"context"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// verify checks that a slot holds what the record says, to the last byte.
func (e *engine) verify(ctx context.Context, slot bootctl.Slot) error {
	c := e.snapshot().Slot(slot)
	if c.IsEmpty() && c.Damage != "" {
		return refusal.New(c.Damage, "slot %s has lost its set", slot)
	}
	return e.store.Verify(slot, nxs.Digest(c.Digest), verifyBy(ctx, e.verifier))
}

// damaged marks a slot in which damage was found, durably, and tells whether another slot is to run now.
func (e *engine) damaged(slot bootctl.Slot, reason refusal.Reason, found error) (moved bool, err error) {
	before := e.snapshot()
	what := about(before, slot)
	what.reason, what.detail = string(reason), refusal.DetailOf(found)
	err = e.change(func(r bootctl.Record) (bootctl.Record, error) {
		if held := r.Slot(slot); held.IsEmpty() || held.Digest != before.Slot(slot).Digest {
			return r, nil // there is nothing to mark, or it was about another set
		}
		return r.Damage(slot, reason, what.detail)
	})
	if err != nil {
		return false, err
	}
	after := e.snapshot()
	moved = after.Running() != before.Running()
	e.auditAs("damaged", what, logclient.ResultFailed)
	if moved {
		e.auditRollback(after)
	}
	return moved, nil
}

// mended takes the mark from a slot that was found intact.
func (e *engine) mended(slot bootctl.Slot) error {
	if e.snapshot().Slot(slot).Damage == "" {
		return nil
	}
	if err := e.readSlots(); err != nil {
		return err
	}
	return e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Mended(slot), nil })
}

// lookBack looks at the slot that a rollback leads to before one is decided on: no set is left for one that is not
// there any more. A look that fails says nothing.
func (e *engine) lookBack(ctx context.Context) error {
	r := e.snapshot()
	return e.inspect(ctx, r.Running().Other())
}

// inspect marks a slot that should hold a set, if damage is found in it.
func (e *engine) inspect(ctx context.Context, slot bootctl.Slot) error {
	if c := e.snapshot().Slot(slot); c.IsEmpty() || c.Damage != "" {
		return nil
	}
	found := e.verify(ctx, slot)
	reason, damaged := slots.DamageOf(found)
	if !damaged {
		return nil
	}
	_, err := e.damaged(slot, reason, found)
	return err
}

// A slotCheck is what a check of one slot found.
type slotCheck struct {
	slot    bootctl.Slot
	version string
	err     error // nil: every byte is what was signed
}

// scrub checks both slots as if they had just arrived, one after the other. It holds the place of a stage, so that
// nothing is written meanwhile.
func (e *engine) scrub(ctx context.Context) ([]slotCheck, error) {
	if err := e.takePlace(); err != nil {
		return nil, err
	}
	defer e.end()
	if err := e.readSlots(); err != nil {
		return nil, err
	}
	if err := e.agree(); err != nil {
		return nil, err
	}
	var all []slotCheck
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		check, err := e.check(ctx, slot)
		if err != nil {
			return nil, err
		}
		all = append(all, check)
	}
	return all, nil
}

// check reads every byte of a slot and puts what it found into the record.
func (e *engine) check(ctx context.Context, slot bootctl.Slot) (slotCheck, error) {
	found := e.verify(ctx, slot)
	content := e.snapshot().Slot(slot)
	result := slotCheck{slot: slot, version: content.Version, err: found}
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
	e.audit("verify", about(e.snapshot(), slot), found)
	return result, nil
}

// Scrub checks both slots.
func (s *recoveryServer) Scrub(ctx context.Context, call update.UpdateRecovery_scrub) error {
	call.Go()
	found, err := s.engine.scrub(ctx)
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
		if err := check.fill(list.At(i)); err != nil {
			return err
		}
	}
	return nil
}

func (c slotCheck) fill(m update.SlotCheck) error {
	m.SetSlot(convert.Slot(c.slot))
	if err := m.SetSystemVersion(c.version); err != nil || c.err == nil {
		return err
	}
	reason, damaged := slots.DamageOf(c.err)
	if !damaged {
		reason = refusal.Of(c.err)
	}
	if err := m.SetReason(string(reason)); err != nil {
		return err
	}
	return m.SetDetail(refusal.DetailOf(c.err))
}
