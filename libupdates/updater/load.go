package updater

import (
	"errors"
	"fmt"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// Open loads the slots and the record, the slots first: what a cut left behind in them is removed before anything goes
// by them. After an error the next Open finds all that this one found.
func Open(cfg Config) (*Engine, error) {
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	e := &Engine{cfg: cfg}
	if err := e.open(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) open() (err error) {
	if e.store, err = slots.Open(e.cfg.Slots); err != nil {
		return fmt.Errorf("cannot open slots: %w", err)
	}
	if e.cfg.BootCopy != nil {
		if e.bootCopy, err = durable.OpenCell(e.cfg.BootCopy); err != nil {
			return fmt.Errorf("cannot open boot record of this boot: %w", err)
		}
	}
	e.cell, err = durable.OpenCell(e.cfg.Record)
	if errors.Is(err, durable.ErrDamaged) && e.Persistent() {
		e.lost(refusal.New(refusal.StateDamaged, "%v", err))
		e.cell, err = durable.ResetCell(e.cfg.Record), nil
	}
	if err != nil {
		return fmt.Errorf("cannot open boot record: %w", err)
	}
	if err := e.load(); err != nil {
		return err
	}
	e.tidy()
	e.reportMended()
	return nil
}

// load takes the newest record, or resumes from what the slots know, and makes it agree with what they hold: a cut
// between image and record is mended here. A record that is older than this boot begins it: no attempt of the boot
// before counts, and nothing is published for it.
func (e *Engine) load() error {
	if err := e.readSlots(); err != nil {
		return err
	}
	a, b, _ := e.found()
	confirmed, err := e.confirmed(a, b)
	if err != nil {
		return err
	}
	raw, found := e.stored(confirmed != bootctl.None || !a.IsEmpty() || !b.IsEmpty())
	if !found {
		return e.adopt(e.dated(bootctl.Resume(confirmed, a, b)).Booted(e.cfg.Cause))
	}
	return e.takeUp(raw, confirmed)
}

// takeUp goes on with a stored record. A switch of which only the record was stored is carried out first.
func (e *Engine) takeUp(raw []byte, confirmed bootctl.Slot) error {
	record, err := bootctl.Decode(raw)
	if err != nil {
		return fmt.Errorf("cannot load boot record: %w", err)
	}
	record = e.dated(record)
	if e.beginsBoot() {
		record = record.Restart(e.cfg.Cause)
	}
	if e.unplaced(record) {
		if err := e.save(record); err != nil {
			return err
		}
		if err := e.place(record); err != nil {
			return err
		}
	}
	a, b, staged := e.found()
	record, behind := record.CatchUp(confirmed, a, b)
	agreed, changes := record.Reconcile(a, b, staged)
	for _, change := range changes {
		e.cfg.Log.Warn("boot record mended", "change", change)
	}
	if err := e.adopt(agreed); err != nil {
		return err
	}
	if behind {
		e.reportBehind(agreed)
	}
	e.auditFound(record, agreed)
	if !record.Staged.IsEmpty() && agreed.Staged.IsEmpty() {
		what := about(record, bootctl.Staged)
		what.Reason, what.Detail = refusal.MissingEntry, "the staged set is gone"
		e.auditAs("damaged", what, Failed)
	}
	return nil
}

// tidy makes the staged link lead to what is staged. It may lead to what is not staged any more, or to what a cut kept
// from the record, or be missing where an older version staged in the standby slot. No stage is under way, or the
// caller has its place.
func (e *Engine) tidy() {
	r := e.Record()
	if e.unplaced(r) { // a switch still needs the link
		return
	}
	err := e.store.SetStaged(nxs.Digest(r.Staged.Digest))
	e.touched()
	if err == nil {
		err = e.readSlots()
	}
	if err != nil {
		e.cfg.Log.Warn("cannot tidy what is staged", "error", err)
	}
}

// confirmed is the slot that was confirmed last, by its link. If the link is damaged, it is the slot that holds a set,
// slot a before slot b.
func (e *Engine) confirmed(a, b bootctl.Content) (bootctl.Slot, error) {
	slot, err := e.store.Active()
	if _, damaged := slots.DamageOf(err); !damaged {
		return slot, err
	}
	slot = bootctl.A
	if a.IsEmpty() && !b.IsEmpty() {
		slot = bootctl.B
	}
	e.cfg.Log.Warn("cannot tell which slot was confirmed last", "error", err, "taken", slot)
	return slot, nil
}

// stored is the newest record there is: the durable one or, if that is lost, the copy of this boot. A device that was
// used has one.
func (e *Engine) stored(used bool) (raw []byte, found bool) {
	raw, found = e.cell.Load()
	if found || !e.Persistent() {
		return raw, found
	}
	raw, found = e.bootCopy.Load()
	if used || found {
		e.lost(refusal.New(refusal.NoSuchKey,
			"there is no boot record: quarantine, version floor and history are lost, if there were any"))
	}
	return raw, found
}

// beginsBoot reports whether no engine has loaded the record in this boot.
func (e *Engine) beginsBoot() bool {
	if !e.Persistent() {
		return false // the record would not be there
	}
	_, found := e.bootCopy.Load()
	return !found
}

// adopt makes a record the current one, durably.
func (e *Engine) adopt(r bootctl.Record) error {
	return e.change(func(bootctl.Record) (bootctl.Record, error) { return r, nil })
}

// lost reports that no copy of the record is left. The system goes on with what else is known: the copy of this boot,
// or which slot was confirmed last.
func (e *Engine) lost(why error) {
	if e.recordLost { // it was reported
		return
	}
	e.recordLost = true
	e.cfg.Log.Error("boot record lost", "error", why)
	e.auditAs("record", Audit{Reason: refusal.Of(why), Detail: why.Error()}, Failed)
}

// reportMended reports that one of two copies of the record was damaged. Loading the record has written it again.
func (e *Engine) reportMended() {
	fault := e.cell.Fault()
	if fault == nil || !e.Persistent() {
		return
	}
	e.cfg.Log.Warn("copy of the boot record mended", "error", fault)
	e.auditAs("record", Audit{Reason: refusal.StateDamaged, Detail: fault.Error()}, OK)
}

// reportBehind reports that the record was older than the slots, and which set runs.
func (e *Engine) reportBehind(r bootctl.Record) {
	what := about(r, r.Active)
	e.cfg.Log.Warn("boot record older than the slots", "active", what.Slot, "version", what.Version)
	what.Reason = refusal.SlotMismatch
	what.Detail = "the record was older than the slots: what it did not know of quarantine and version floor is lost"
	e.auditAs("record", what, OK)
}
