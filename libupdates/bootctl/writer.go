package bootctl

import (
	"strings"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
)

// writer turns values into the parts of a message and keeps the first error. Each part starts from the stored part of
// the same value, if there is one, so that a field that only a newer version knows stays with its value, and goes with
// it. Errors of reading stored parts are ignored: Decode has read them all.
type writer struct {
	segment *capnp.Segment
	err     error
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// from returns a struct that is wide enough for fresh and for stored and begins as a copy of stored.
func (w *writer) from(fresh, stored capnp.Struct) capnp.Struct {
	if !stored.IsValid() || w.err != nil {
		return fresh
	}
	s, err := capnp.NewStruct(w.segment, widest(fresh.Size(), stored.Size()))
	if err == nil {
		err = s.CopyFrom(stored)
	}
	w.fail(err)
	return s
}

func widest(x, y capnp.ObjectSize) capnp.ObjectSize {
	return capnp.ObjectSize{DataSize: max(x.DataSize, y.DataSize), PointerCount: max(x.PointerCount, y.PointerCount)}
}

func (w *writer) content(c Content, stored bootrecord.SlotContent) bootrecord.SlotContent {
	if (&reader{}).digest(stored.IndexSha256()) != c.Digest {
		stored = bootrecord.SlotContent{}
	}
	fresh, err := bootrecord.NewSlotContent(w.segment)
	w.fail(err)
	s := bootrecord.SlotContent(w.from(capnp.Struct(fresh), capnp.Struct(stored)))
	if w.err != nil {
		return s
	}
	w.fail(s.SetIndexSha256(bytesOf(c.Digest)))
	w.fail(s.SetSystemVersion(c.Version))
	s.SetGood(c.Good)
	w.fail(s.SetVersionFloor(c.Floor))
	w.fail(s.SetDamage(string(c.Damage)))
	return s
}

// rollback returns the null struct if there was no rollback.
func (w *writer) rollback(b *Rollback, stored bootrecord.Rollback) bootrecord.Rollback {
	if b == nil {
		return bootrecord.Rollback{}
	}
	if was := (&reader{}).rollback(stored, nil); was == nil || *was != *b {
		stored = bootrecord.Rollback{}
	}
	fresh, err := bootrecord.NewRollback(w.segment)
	w.fail(err)
	s := bootrecord.Rollback(w.from(capnp.Struct(fresh), capnp.Struct(stored)))
	if w.err != nil {
		return s
	}
	w.fail(s.SetReason(string(b.Reason)))
	w.fail(s.SetDetail(b.Detail))
	w.fail(s.SetIndexSha256(bytesOf(b.Digest)))
	w.fail(s.SetSystemVersion(b.Version))
	w.lines(b.Output, s.NewOutput)
	w.lines(b.Refused, s.NewRefused)
	return s
}

// lines sets a list of texts; none is null, as in a message of a version that did not know it.
func (w *writer) lines(joined string, make func(int32) (capnp.TextList, error)) {
	if joined == "" || w.err != nil {
		return
	}
	lines := strings.Split(joined, "\n")
	list, err := make(int32(len(lines)))
	w.fail(err)
	for i, line := range lines {
		if w.err == nil {
			w.fail(list.Set(i, line))
		}
	}
}

func (w *writer) quarantine(values []Quarantined, stored bootrecord.Quarantined_List) bootrecord.Quarantined_List {
	set := func(s bootrecord.Quarantined, q Quarantined) {
		w.fail(s.SetIndexSha256(bytesOf(q.Digest)))
		w.fail(s.SetSystemVersion(q.Version))
		w.fail(s.SetReason(string(q.Reason)))
	}
	return writeList(w, values, stored, bootrecord.NewQuarantined_List, (&reader{}).quarantined, set)
}

func (w *writer) history(values []Event, stored bootrecord.Event_List) bootrecord.Event_List {
	set := func(s bootrecord.Event, e Event) {
		w.fail(s.SetOp(string(e.Op)))
		s.SetSlot(bootrecord.Slot(e.Slot))
		w.fail(s.SetSystemVersion(e.Version))
		w.fail(s.SetIndexSha256(bytesOf(e.Digest)))
		w.fail(s.SetReason(string(e.Reason)))
		s.SetBoot(e.Boot)
		s.SetUnixMs(e.UnixMs)
		w.fail(s.SetDetail(e.Detail))
	}
	return writeList(w, values, stored, bootrecord.NewEvent_List, (&reader{}).event, set)
}

// writeList makes a list whose elements start from the stored elements of the same value.
func writeList[S ~capnp.StructKind, V comparable](
	w *writer, values []V, stored capnp.StructList[S],
	fresh func(*capnp.Segment, int32) (capnp.StructList[S], error), read func(S) V, set func(S, V),
) capnp.StructList[S] {
	if len(values) == 0 || w.err != nil {
		return capnp.StructList[S]{}
	}
	one, err := fresh(w.segment, 1)
	if err != nil {
		w.fail(err)
		return one
	}
	was := make(map[V]S, stored.Len())
	size := capnp.Struct(one.At(0)).Size()
	for i := range stored.Len() {
		s := stored.At(i)
		was[read(s)] = s
		size = widest(size, capnp.Struct(s).Size())
	}
	wide, err := capnp.NewCompositeList(w.segment, size, int32(len(values)))
	if err != nil {
		w.fail(err)
		return one
	}
	list := capnp.StructList[S](wide)
	for i, v := range values {
		if s, ok := was[v]; ok {
			w.fail(capnp.Struct(list.At(i)).CopyFrom(capnp.Struct(s)))
		}
		set(list.At(i), v)
	}
	return list
}

// bytesOf returns the bytes of a digest, none for the zero digest.
func bytesOf(d Digest) []byte {
	if d.IsZero() {
		return nil
	}
	return d[:]
}
