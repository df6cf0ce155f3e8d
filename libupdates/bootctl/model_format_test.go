package bootctl_test

import (
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/libupdates/bootctl"
)

// encoding writes and reads every record of the search.
func (s *search) encoding(t *testing.T) {
	for _, r := range s.records {
		raw := encode(t, r)
		got, err := bootctl.Decode(raw)
		must{t}.ok(err)
		equal(t, "record", shown(got), shown(r))
		equal(t, "encoded again", encode(t, got), raw)
	}
}

// oldReadsNew reads every record as a version after this one may have written it, with a field more in every struct;
// and what this version writes then still has those fields.
func (s *search) oldReadsNew(t *testing.T) {
	for _, r := range s.records {
		newer := widened(t, encode(t, r))
		got, err := bootctl.Decode(newer)
		must{t}.ok(err)
		equal(t, "record", shown(got), shown(r))
		equal(t, "structs with their newer fields", marks(t, encode(t, got)), marks(t, newer))
	}
}

// newReadsOld reads every record as the version before this one would have written it: without the last field of every
// struct. What is missing has its default, and what this version writes then reads the same.
func (s *search) newReadsOld(t *testing.T) {
	for _, r := range s.records {
		want := withoutLastFields(r)
		got, err := bootctl.Decode(narrowed(t, encode(t, r)))
		must{t}.ok(err)
		equal(t, "record", shown(got), want)
		again, err := bootctl.Decode(encode(t, got))
		must{t}.ok(err)
		equal(t, "written by this version", shown(again), want)
	}
}

// shown is a record without the message it was read from, and with nil for what is empty.
func shown(r bootctl.Record) bootctl.Record {
	s := bootctl.Record{
		Active: r.Active, Pending: r.Pending, Staged: r.Staged, TriesLeft: r.TriesLeft, WatchLeft: r.WatchLeft,
		HealthOK: r.HealthOK,
		Boot:     r.Boot, StageSerial: r.StageSerial, Floor: r.Floor, Slots: r.Slots, LastRollback: r.LastRollback,
		BootCause: r.BootCause, EndOrdered: r.EndOrdered, AbruptEnds: r.AbruptEnds,
	}
	s.Quarantine = append(s.Quarantine, r.Quarantine...)
	s.History = append(s.History, r.History...)
	return s
}

func withoutLastFields(r bootctl.Record) bootctl.Record {
	old := shown(r)
	old.History = nil
	old.Floor = ""
	old.Staged = bootctl.Content{}
	for i := range old.Slots {
		old.Slots[i] = bootctl.Content{Digest: old.Slots[i].Digest, Version: old.Slots[i].Version}
	}
	for i := range old.Quarantine {
		old.Quarantine[i].Reason = ""
	}
	if r.LastRollback != nil {
		last := *r.LastRollback
		last.Version = ""
		old.LastRollback = &last
	}
	return old
}

// narrowed returns the record with structs that end before the last field of each: history, good, reason and the
// version of a rollback.
func narrowed(t *testing.T, raw []byte) []byte {
	m := must{t}
	whole, err := capnp.Unmarshal(raw)
	m.ok(err)
	from, err := bootrecord.ReadRootBootRecord(whole)
	m.ok(err)
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	to, err := capnp.NewRootStruct(seg, capnp.ObjectSize{DataSize: 32, PointerCount: 4})
	m.ok(err)
	m.ok(to.CopyFrom(capnp.Struct(from)))

	narrow := func(field uint16, size capnp.ObjectSize) {
		p, err := capnp.Struct(from).Ptr(field)
		m.ok(err)
		if !p.IsValid() {
			return
		}
		s, err := capnp.NewStruct(seg, size)
		m.ok(err)
		m.ok(s.CopyFrom(p.Struct()))
		m.ok(to.SetPtr(field, s.ToPtr()))
	}
	narrow(0, capnp.ObjectSize{PointerCount: 2}) // slot a without good
	narrow(1, capnp.ObjectSize{PointerCount: 2}) // slot b
	narrow(3, capnp.ObjectSize{PointerCount: 3}) // the last rollback without its version

	quarantine, err := from.Quarantine()
	m.ok(err)
	if n := quarantine.Len(); n > 0 {
		list, err := capnp.NewCompositeList(seg, capnp.ObjectSize{PointerCount: 2}, int32(n))
		m.ok(err)
		for i := range n {
			m.ok(list.Struct(i).CopyFrom(capnp.Struct(quarantine.At(i))))
		}
		m.ok(to.SetPtr(2, list.ToPtr()))
	}
	out, err := msg.Marshal()
	m.ok(err)
	return out
}
