package bootctl

import (
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/libupdates/message"
)

// Encode returns the canonical message of the record, at most MaxEncoded bytes. It starts from the message the record
// was read from, so that fields we do not know survive; where they would no longer fit beside ours they are left out,
// because the state itself must always be storable. A record that breaks an invariant is refused.
func Encode(r Record) ([]byte, error) {
	if err := check(r); err != nil {
		return nil, fmt.Errorf("cannot write boot record: %w", err)
	}
	if stored, err := open(r.stored); err == nil {
		if raw, err := encode(r, stored); err == nil && len(raw) <= MaxEncoded {
			return raw, nil
		}
	}
	raw, err := encode(r, bootrecord.BootRecord{})
	if err != nil {
		return nil, fmt.Errorf("cannot write boot record: %w", err)
	}
	return raw, nil
}

func encode(r Record, stored bootrecord.BootRecord) ([]byte, error) {
	_, segment := capnp.NewSingleSegmentMessage(nil)
	w := writer{segment: segment}
	root := w.root(r, stored)
	if w.err != nil {
		return nil, w.err
	}
	return message.Canonical(capnp.Struct(root))
}

func (w *writer) root(r Record, stored bootrecord.BootRecord) bootrecord.BootRecord {
	fresh, err := bootrecord.NewBootRecord(w.segment)
	w.fail(err)
	root := bootrecord.BootRecord(w.from(capnp.Struct(fresh), capnp.Struct(stored)))
	if w.err != nil {
		return root
	}
	root.SetSchemaVersion(schemaVersion)
	root.SetActive(bootrecord.Slot(r.Active))
	root.SetPending(bootrecord.Slot(r.Pending))
	root.SetTriesLeft(r.TriesLeft)
	root.SetWatchLeft(r.WatchLeft)
	root.SetBootCause(bootrecord.BootCause(r.BootCause))
	root.SetEndOrdered(r.EndOrdered)
	root.SetAbruptEnds(r.AbruptEnds)
	root.SetHealthOk(r.HealthOK)
	root.SetStaged(bootrecord.Slot_none) // what older versions know by this name is in no slot
	root.SetBoot(r.Boot)
	root.SetStageSerial(r.StageSerial)
	w.fail(root.SetVersionFloor(r.Floor))

	slotA, _ := stored.SlotA()
	slotB, _ := stored.SlotB()
	staged, _ := stored.StagedSet()
	last, _ := stored.LastRollback()
	quarantine, _ := stored.Quarantine()
	history, _ := stored.History()
	w.fail(root.SetSlotA(w.content(r.Slots[0], slotA)))
	w.fail(root.SetSlotB(w.content(r.Slots[1], slotB)))
	if r.Staged.IsEmpty() {
		w.fail(root.SetStagedSet(bootrecord.SlotContent{}))
	} else {
		w.fail(root.SetStagedSet(w.content(r.Staged, staged)))
	}
	w.fail(root.SetLastRollback(w.rollback(r.LastRollback, last)))
	w.fail(root.SetQuarantine(w.quarantine(r.Quarantine, quarantine)))
	w.fail(root.SetHistory(w.history(r.History, history)))
	return root
}
