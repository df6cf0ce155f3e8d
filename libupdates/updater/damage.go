package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// An inspector verifies what the slots hold, and keeps in the record which of them are damaged.
type inspector struct {
	ledger *ledger
	slots  *inventory
	log    journal
	trust  Verify
}

// verify checks that a slot holds what the record says, to the last byte.
func (i *inspector) verify(ctx context.Context, slot bootctl.Slot) error {
	c := i.ledger.Record().Slot(slot)
	if c.IsEmpty() && c.Damage != "" {
		return refusal.New(c.Damage, "slot %s has lost its set", slot)
	}
	return i.slots.store.Verify(slot, nxs.Digest(c.Digest), i.trust.by(ctx))
}

// measure is verify for an attempt, without reading what the kernel verifies at every read. Of a slot that is marked as
// damaged every byte is read: the kernel measures a payload without looking at its blocks.
func (i *inspector) measure(ctx context.Context, slot bootctl.Slot) error {
	c := i.ledger.Record().Slot(slot)
	if c.Damage != "" {
		return i.verify(ctx, slot)
	}
	protected, err := i.slots.store.Measure(slot, nxs.Digest(c.Digest), i.trust.by(ctx))
	if err == nil && protected {
		err = i.slots.read()
	}
	return err
}

// damaged marks a slot in which damage was found, durably, and reports whether another slot is to run now.
func (i *inspector) damaged(slot bootctl.Slot, reason refusal.Reason, found error) (moved bool, err error) {
	before := i.ledger.Record()
	what := about(before, slot)
	what.Reason, what.Detail = reason, refusal.DetailOf(found)
	err = i.ledger.change(func(r bootctl.Record) (bootctl.Record, error) {
		if held := r.Slot(slot); held.IsEmpty() || held.Digest != before.Slot(slot).Digest {
			return r, nil // there is nothing to mark, or it was about another set
		}
		return r.Damage(slot, reason, what.Detail)
	})
	if err != nil {
		return false, err
	}
	after := i.ledger.Record()
	moved = after.Running() != before.Running()
	i.log.write("damaged", what, Failed)
	if moved {
		i.log.rollback(after)
	}
	return moved, nil
}

// mended takes the mark from a slot that was found intact.
func (i *inspector) mended(slot bootctl.Slot) error {
	if i.ledger.Record().Slot(slot).Damage == "" {
		return nil
	}
	if err := i.slots.read(); err != nil {
		return err
	}
	return i.ledger.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Mended(slot), nil })
}

// lookBack looks at the slot that a rollback leads to before one is decided on: no set is left for one that is not
// there any more. A look that fails says nothing. Barred is why the set there may not run, such as that its key is no
// longer trusted.
func (i *inspector) lookBack(ctx context.Context) (barred, err error) {
	r := i.ledger.Record()
	return i.inspect(ctx, r.Running().Other(), i.measure)
}

// A check says what is wrong with a slot.
type check func(context.Context, bootctl.Slot) error

// inspect marks a slot that should hold a set, if a check finds damage in it. A mark that is there stays.
func (i *inspector) inspect(ctx context.Context, slot bootctl.Slot, by check) (barred, err error) {
	if c := i.ledger.Record().Slot(slot); c.IsEmpty() || c.Damage != "" {
		return nil, nil
	}
	found := by(ctx, slot)
	if reason, damaged := slots.DamageOf(found); damaged {
		_, err := i.damaged(slot, reason, found)
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
func (i *inspector) acquit(ctx context.Context, slot bootctl.Slot) error {
	if i.ledger.Record().Slot(slot).Damage == "" || i.verify(ctx, slot) != nil {
		return nil
	}
	return i.mended(slot)
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

// check reads every byte of a slot and puts what it found into the record.
func (i *inspector) check(ctx context.Context, slot bootctl.Slot) (SlotCheck, error) {
	found := i.verify(ctx, slot)
	content := i.ledger.Record().Slot(slot)
	result := SlotCheck{Slot: slot, Version: content.Version, Err: found}
	reason, damaged := slots.DamageOf(found)
	switch {
	case content.IsEmpty():
		return result, nil
	case damaged:
		_, err := i.damaged(slot, reason, found)
		return result, err
	case found == nil:
		if err := i.mended(slot); err != nil {
			return result, err
		}
	}
	i.log.by(ctx).step("verify", about(i.ledger.Record(), slot), found)
	return result, nil
}
