package updated

import (
	"errors"
	"fmt"

	"nexus/daemons/logclient"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// open takes up the slots and the record, the slots first: their leftovers are gone before anything goes by them.
// thisBoot is nil where the record itself lives no longer than this boot.
func (e *engine) open(fs durable.FS, record, thisBoot durable.CellFile) (err error) {
	if e.store, err = slots.Open(fs); err != nil {
		return fmt.Errorf("cannot open slots: %w", err)
	}
	if thisBoot != nil {
		if e.thisBoot, err = durable.OpenCell(thisBoot); err != nil {
			return fmt.Errorf("cannot open boot record of this boot: %w", err)
		}
	}
	e.cell, err = durable.OpenCell(record)
	if errors.Is(err, durable.ErrDamaged) && e.persistent() {
		e.lost(refusal.New(refusal.StateDamaged, "%v", err))
		e.cell, err = durable.ResetCell(record), nil
	}
	if err != nil {
		return fmt.Errorf("cannot open boot record: %w", err)
	}
	if err := e.load(); err != nil {
		return err
	}
	e.tellMended()
	return nil
}

// lost tells that no copy of the record is left. The system goes on with what else is known: the copy of this boot, or
// which slot was confirmed last.
func (e *engine) lost(why error) {
	if e.recordLost { // it was told
		return
	}
	e.recordLost = true
	e.log.Error("boot record lost", "error", why)
	e.auditAs("record", subject{reason: string(refusal.Of(why)), detail: why.Error()}, logclient.ResultFailed)
}

// tellMended tells that one of two copies of the record was not as it was stored. It was made anew when the record was
// taken up.
func (e *engine) tellMended() {
	fault := e.cell.Fault()
	if fault == nil || !e.persistent() {
		return
	}
	e.log.Warn("copy of the boot record mended", "error", fault)
	e.auditAs("record", subject{reason: string(refusal.StateDamaged), detail: fault.Error()}, logclient.ResultOK)
}

// load takes up the newest record, or resumes from what the slots know, and makes it agree with what they hold: a cut
// between image and record is mended here. A record that is older than this boot begins it: no attempt of the boot
// before counts, and nothing is published for it.
func (e *engine) load() error {
	if err := e.readSlots(); err != nil {
		return err
	}
	a, b := e.recorded(e.contents[0]), e.recorded(e.contents[1])
	confirmed, err := e.confirmed(a, b)
	if err != nil {
		return err
	}
	raw, found := e.stored(confirmed != bootctl.None || !a.IsEmpty() || !b.IsEmpty())
	if !found {
		return e.adopt(bootctl.Resume(confirmed, a, b).Booted(e.cause))
	}
	record, err := bootctl.Decode(raw)
	if err != nil {
		return fmt.Errorf("cannot load boot record: %w", err)
	}
	if e.firstLife() {
		record = record.Restart(e.cause)
	}
	record, behind := record.CatchUp(confirmed, a, b)
	agreed, changes := record.Reconcile(a, b)
	for _, change := range changes {
		e.log.Warn("boot record mended", "change", change)
	}
	if err := e.adopt(agreed); err != nil {
		return err
	}
	if behind {
		e.tellBehind(agreed)
	}
	e.auditFound(record, agreed)
	return nil
}

// tellBehind tells that the record was older than the slots, and which set runs all the same.
func (e *engine) tellBehind(r bootctl.Record) {
	what := about(r, r.Active)
	e.log.Warn("boot record older than the slots", "active", what.slot, "version", what.version)
	what.reason = string(refusal.SlotMismatch)
	what.detail = "the record was older than the slots: what it did not know of quarantine and version floor is lost"
	e.auditAs("record", what, logclient.ResultOK)
}

// confirmed is the slot that was confirmed last, by its link. Where that is damaged, it is the one that holds a set,
// slot a before slot b.
func (e *engine) confirmed(a, b bootctl.Content) (bootctl.Slot, error) {
	slot, err := e.store.Active()
	if _, damaged := slots.DamageOf(err); !damaged {
		return slot, err
	}
	slot = bootctl.A
	if a.IsEmpty() && !b.IsEmpty() {
		slot = bootctl.B
	}
	e.log.Warn("cannot tell which slot was confirmed last", "error", err, "taken", slot)
	return slot, nil
}

// stored is the newest record there is: the durable one or, where that is lost, the copy of this boot. A device that
// was used has one.
func (e *engine) stored(used bool) (raw []byte, found bool) {
	raw, found = e.cell.Load()
	if found || !e.persistent() {
		return raw, found
	}
	raw, found = e.thisBoot.Load()
	if used || found {
		e.lost(refusal.New(refusal.NoSuchKey,
			"there is no boot record: quarantine, version floor and history are lost, if there were any"))
	}
	return raw, found
}

// firstLife tells whether no life of this daemon has taken up the record in this boot.
func (e *engine) firstLife() bool {
	if !e.persistent() {
		return false // the record would not be there
	}
	_, found := e.thisBoot.Load()
	return !found
}

// keep stores an encoded record: on a state disk in both copies, so that either may be damaged, and then for this boot.
func (e *engine) keep(raw []byte) error {
	if !e.persistent() {
		return e.cell.Store(raw)
	}
	if err := e.cell.StoreTwice(raw); err != nil {
		return err
	}
	return e.thisBoot.Store(raw)
}

// adopt makes a record the current one, durably.
func (e *engine) adopt(r bootctl.Record) error {
	return e.change(func(bootctl.Record) (bootctl.Record, error) { return r, nil })
}

// readSlots looks at what the slots hold.
func (e *engine) readSlots() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unread = true
	return e.look()
}

// look reads the slots unless it is known what they hold. The caller holds mu.
func (e *engine) look() error {
	if !e.unread {
		return nil
	}
	a, err := e.lookAt(bootctl.A)
	if err != nil {
		return err
	}
	b, err := e.lookAt(bootctl.B)
	if err != nil {
		return err
	}
	e.contents, e.unread = [2]slots.Content{a, b}, false
	return nil
}

// lookAt reads one slot. Of a damaged one it is known whether it still leads to a set, and to which: the record knows
// the rest, and the check before it runs finds the damage.
func (e *engine) lookAt(slot bootctl.Slot) (slots.Content, error) {
	content, err := e.store.Content(slot)
	if _, damaged := slots.DamageOf(err); damaged {
		return content, nil
	}
	return content, err
}

// touched says that a slot may have changed, also where the step that was to change it failed.
func (e *engine) touched() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unread = true
}
