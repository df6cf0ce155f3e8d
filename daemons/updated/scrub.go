package updated

import (
	"context"

	"nexus/capnpgen/update"
	"nexus/daemons/logs"
	"nexus/daemons/wire"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// damaged marks a slot in which damage was found, durably, and tells whether another slot is to run now.
func (e *engine) damaged(slot bootctl.Slot, reason refusal.Reason, found error) (moved bool, err error) {
	var what subject
	err = e.change(func(r bootctl.Record) (bootctl.Record, error) {
		what = about(r, slot)
		next, err := r.Damage(slot, reason, refusal.DetailOf(found))
		moved = next.Running() != r.Running()
		return next, err
	})
	if err != nil {
		return false, err
	}
	what.reason, what.detail = string(reason), refusal.DetailOf(found)
	e.auditAs("damaged", what, logs.ResultFailed)
	if moved {
		e.auditRollback(e.snapshot())
	}
	return moved, nil
}

// A slotCheck is what a check of one slot found.
type slotCheck struct {
	slot    bootctl.Slot
	version string
	err     error // nil: every byte is what was signed
}

// scrub checks both slots as if they had just arrived, one after the other. It holds the place of a stage, so that nothing is written meanwhile.
func (e *engine) scrub(ctx context.Context) ([]slotCheck, error) {
	if err := e.takePlace(); err != nil {
		return nil, err
	}
	defer e.end()
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
	found := e.store.Verify(slot, verifyBy(ctx, e.verifier))
	content := e.snapshot().Slot(slot)
	result := slotCheck{slot: slot, version: content.Version, err: found}
	reason, damaged := slots.DamageOf(found)
	switch {
	case content.IsEmpty():
		return slotCheck{slot: slot}, nil
	case damaged:
		_, err := e.damaged(slot, reason, found)
		return result, err
	case found == nil && content.Damage != "":
		if err := e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Mended(slot), nil }); err != nil {
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
		return wire.Refuse(res.NewRefusal, err)
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
	m.SetSlot(wire.Slot(c.slot))
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
