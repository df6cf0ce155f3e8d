package bootctl

import (
	"bytes"
	"errors"
	"fmt"

	"nexus/capnpgen/bootrecord"
	"nexus/libupdates/message"
	"nexus/libupdates/refusal"
)

// Constants of the encoding.
const (
	MaxEncoded    = 64 << 10 // bytes, framing included
	schemaVersion = 1
)

// Decode reads an encoded record. Any valid encoding is accepted; fields we do not know are kept for Encode. It refuses
// what is not a record of version 1, is larger than MaxEncoded, or violates an invariant of Record; the reason is
// BadSchemaVersion or IO.
func Decode(raw []byte) (Record, error) {
	r, err := decode(raw)
	if err == nil {
		err = check(r)
	}
	if err != nil {
		return Record{}, fmt.Errorf("cannot read boot record: %w", err)
	}
	r.stored = bytes.Clone(raw)
	return r, nil
}

func decode(raw []byte) (Record, error) {
	root, err := open(raw)
	if err != nil {
		return Record{}, err
	}
	if v := root.SchemaVersion(); v != schemaVersion {
		return Record{}, refusal.New(refusal.BadSchemaVersion, "schema version is %d, not %d", v, schemaVersion)
	}
	r := Record{
		TriesLeft:   root.TriesLeft(),
		WatchLeft:   root.WatchLeft(),
		EndOrdered:  root.EndOrdered(),
		AbruptEnds:  root.AbruptEnds(),
		HealthOK:    root.HealthOk(),
		Boot:        root.Boot(),
		StageSerial: root.StageSerial(),
	}
	d := reader{}
	r.Floor = d.text(root.VersionFloor())
	r.BootCause = d.cause(root.BootCause())
	r.Active, r.Pending = d.slot(root.Active()), d.slot(root.Pending())
	r.Slots[0] = d.content(root.SlotA())
	r.Slots[1] = d.content(root.SlotB())
	r.Quarantine = d.quarantine(root.Quarantine())
	r.LastRollback = d.rollback(root.LastRollback())
	r.History = d.history(root.History())
	r.Staged = d.staged(root, r)
	return r, d.err
}

// staged is the staged set. A version before this one staged in the standby slot, and named it; of a field that it did
// not know it has kept what we wrote, which may have become void meanwhile.
func (d *reader) staged(root bootrecord.BootRecord, r Record) Content {
	set, slot := d.content(root.StagedSet()), d.slot(root.Staged())
	switch {
	case slot == None:
		next := draft{r}
		next.Staged = set.asFound()
		next.recheckStaged()
		return next.Staged
	case slot != r.Standby() || r.Pending != None || r.Slot(slot).IsEmpty():
		d.fail(fmt.Errorf("slot %s is staged, which is not a standby slot with a set", slot))
	}
	return r.Slot(slot).asFound()
}

// open finds the root of a message of at most MaxEncoded bytes.
func open(raw []byte) (bootrecord.BootRecord, error) {
	if len(raw) > MaxEncoded {
		return bootrecord.BootRecord{}, fmt.Errorf("larger than %d bytes", MaxEncoded)
	}
	msg, err := message.Open(raw)
	if err != nil {
		return bootrecord.BootRecord{}, err
	}
	root, err := msg.Root()
	if err != nil || !root.Struct().IsValid() {
		return bootrecord.BootRecord{}, errors.New("the message has no root struct")
	}
	return bootrecord.BootRecord(root.Struct()), nil
}
