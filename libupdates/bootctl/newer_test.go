package bootctl_test

import (
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/libupdates/bootctl"
)

// wide is larger than any struct of a record: what is in its last word and its last pointer is a field of a later
// version.
func wide() capnp.ObjectSize { return capnp.ObjectSize{DataSize: 40, PointerCount: 8} }

// widened returns the record as a newer version may have written it: with a field more, of either kind, in every
// struct.
func widened(t *testing.T, raw []byte) []byte {
	m := must{t}
	old, err := capnp.Unmarshal(raw)
	m.ok(err)
	from, err := bootrecord.ReadRootBootRecord(old)
	m.ok(err)
	msg, seg := capnp.NewSingleSegmentMessage(nil)

	mark := func(to, s capnp.Struct) {
		m.ok(to.CopyFrom(s))
		to.SetUint64(capnp.DataOffset(to.Size().DataSize-8), newField)
		m.ok(to.SetText(to.Size().PointerCount-1, newText))
	}
	single := func(s capnp.Struct) capnp.Struct {
		to, err := capnp.NewStruct(seg, wide())
		m.ok(err)
		mark(to, s)
		return to
	}
	list := func(p capnp.Ptr, err error) capnp.Ptr {
		m.ok(err)
		from := p.List()
		if from.Len() == 0 {
			return capnp.Ptr{}
		}
		to, err := capnp.NewCompositeList(seg, wide(), int32(from.Len()))
		m.ok(err)
		for i := range from.Len() {
			mark(to.Struct(i), from.Struct(i))
		}
		return to.ToPtr()
	}

	to, err := capnp.NewRootStruct(seg, wide())
	m.ok(err)
	mark(to, capnp.Struct(from))
	for _, slot := range []uint16{0, 1, 3, 6} {
		p, err := capnp.Struct(from).Ptr(slot)
		m.ok(err)
		if p.IsValid() {
			m.ok(to.SetPtr(slot, single(p.Struct()).ToPtr()))
		}
	}
	for _, slot := range []uint16{2, 4} {
		m.ok(to.SetPtr(slot, list(capnp.Struct(from).Ptr(slot))))
	}
	out, err := msg.Marshal()
	m.ok(err)
	return out
}

const (
	newField = 0x1122334455667788
	newText  = "a later field"
)

// marks counts the structs that still carry the newer version's fields.
func marks(t *testing.T, raw []byte) int {
	m := must{t}
	msg, err := capnp.Unmarshal(raw)
	m.ok(err)
	root, err := msg.Root()
	m.ok(err)
	count := 0
	look := func(s capnp.Struct) {
		size := s.Size()
		if size.DataSize < 8 || size.PointerCount < 1 {
			return
		}
		p, err := s.Ptr(size.PointerCount - 1)
		m.ok(err)
		if s.Uint64(capnp.DataOffset(size.DataSize-8)) == newField && p.Text() == newText {
			count++
		}
	}
	look(root.Struct())
	for _, i := range []uint16{0, 1, 2, 3, 4, 6} {
		p, err := root.Struct().Ptr(i)
		m.ok(err)
		if i == 2 || i == 4 {
			for j := range p.List().Len() {
				look(p.List().Struct(j))
			}
		} else if p.IsValid() {
			look(p.Struct())
		}
	}
	return count
}

// After a rollback the older system writes what the newer one will read again: fields it does not know stay with what
// they are about.
func TestNewerFieldsSurvive(t *testing.T) {
	m := must{t}
	newer := widened(t, encode(t, full(t)))
	total := marks(t, newer)
	r, err := bootctl.Decode(newer)
	m.ok(err)
	equal(t, "the record as read", key(r), key(full(t)))
	if got := marks(t, encode(t, r)); got != total {
		t.Errorf("written as it was read: %d of %d structs kept their newer fields", got, total)
	}

	// An attempt adds one event and touches nothing else.
	next, _ := r.BootAttempt()
	if got := marks(t, encode(t, next)); got != total {
		t.Errorf("after an attempt: %d of %d structs kept their newer fields", got, total)
	}

	// A cleared quarantine takes its entry's newer fields with it.
	cleared, err := next.ClearQuarantine(set(2).Digest)
	m.ok(err)
	raw := encode(t, cleared)
	if got := marks(t, raw); got != total-1 {
		t.Errorf("after a clear: %d structs kept their newer fields, want %d", got, total-1)
	}
	if again, err := bootctl.Decode(raw); err != nil || len(again.Quarantine) != 0 {
		t.Errorf("got quarantine %v, error %v, want an empty one", again.Quarantine, err)
	}
}
