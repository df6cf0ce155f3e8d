package golden_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/manifest"
	"nexus/capnpgen/systemset"
	"nexus/libupdates/bootctl"
	"nexus/schema/check/lock"
	"nexus/schema/check/surface"
)

// An older reader reads structs like a version that had this lock: only the fields it knew, by their places.
type older struct {
	nodes map[uint64]*surface.Node
}

func newOlder(t *testing.T, text []byte) older {
	t.Helper()
	s, err := lock.Parse(text)
	must(t, err)
	o := older{nodes: map[uint64]*surface.Node{}}
	for node := range s.All {
		o.nodes[node.ID] = node
	}
	return o
}

// read returns every field of a message's root, one line each.
func (o older) read(t *testing.T, id uint64, raw []byte) string {
	t.Helper()
	msg, err := capnp.Unmarshal(raw)
	must(t, err)
	root, err := msg.Root()
	must(t, err)
	var out strings.Builder
	o.structure(t, &out, "", id, root.Struct())
	return out.String()
}

func (o older) structure(t *testing.T, out *strings.Builder, path string, id uint64, s capnp.Struct) {
	t.Helper()
	node := o.nodes[id]
	if node == nil {
		t.Fatalf("the lock has no type %#x", id)
	}
	for _, f := range node.Fields {
		name := path + "." + f.Name
		if f.Place.Section == "data" {
			fmt.Fprintf(out, "%s %s\n", name, o.bits(t, s, f))
			continue
		}
		p, err := s.Ptr(uint16(f.Place.Offset))
		must(t, err)
		o.pointer(t, out, name, f.Type, p)
	}
}

func (o older) pointer(t *testing.T, out *strings.Builder, name string, kind surface.Type, p capnp.Ptr) {
	t.Helper()
	switch {
	case !p.IsValid():
		fmt.Fprintf(out, "%s null\n", name)
	case kind.Kind == "Text":
		fmt.Fprintf(out, "%s %q\n", name, p.Text())
	case kind.Kind == "Data":
		fmt.Fprintf(out, "%s %x\n", name, p.Data())
	case o.kind(kind) == surface.Struct:
		o.structure(t, out, name, kind.ID, p.Struct())
	case kind.Elements != nil && kind.Elements.Kind == "Text":
		for i := range p.List().Len() {
			text, err := capnp.TextList(p.List()).At(i)
			must(t, err)
			fmt.Fprintf(out, "%s[%d] %q\n", name, i, text)
		}
	case kind.Elements != nil && o.kind(*kind.Elements) == surface.Struct:
		for i := range p.List().Len() {
			o.structure(t, out, fmt.Sprintf("%s[%d]", name, i), kind.Elements.ID, p.List().Struct(i))
		}
	default:
		t.Fatalf("%s: no reader for %s", name, kind)
	}
}

// kind returns the kind of a declared type, or "" for a built-in type.
func (o older) kind(t surface.Type) surface.Kind {
	if node := o.nodes[t.ID]; node != nil {
		return node.Kind
	}
	return ""
}

// bits reads a raw number and removes its default.
func (o older) bits(t *testing.T, s capnp.Struct, f surface.Field) string {
	t.Helper()
	at := capnp.DataOffset(f.Place.Offset / 8)
	if o.kind(f.Type) == surface.Enum {
		return fmt.Sprint(s.Uint16(at))
	}
	switch f.Type.Kind {
	case "Bool":
		return fmt.Sprint(s.Bit(capnp.BitOffset(f.Place.Offset)))
	case "UInt8":
		return fmt.Sprint(s.Uint8(at))
	case "UInt16":
		return fmt.Sprint(s.Uint16(at))
	case "UInt32":
		return fmt.Sprint(s.Uint32(at))
	case "UInt64":
		return fmt.Sprint(s.Uint64(at))
	case "Int64":
		return fmt.Sprint(int64(s.Uint64(at)))
	}
	t.Fatalf("%s: no reader for %s", f.Name, f.Type)
	return ""
}

// Every earlier version can read what this one writes: its fields are in their places and have the same values.
func TestOlderReadsNewer(t *testing.T) {
	today := files(t)
	for _, dir := range versions(t) {
		then := newOlder(t, read(t, dir, "API.lock"))
		now := newOlder(t, today["API.lock"])
		for _, c := range []struct {
			name string
			id   uint64
		}{
			{"record-rich", bootrecord.BootRecord_TypeID}, {"record-empty", bootrecord.BootRecord_TypeID},
			{"manifest.nxb", manifest.BundleManifest_TypeID},
		} {
			t.Run(filepath.Base(dir)+"/"+c.name, func(t *testing.T) {
				wantLines(t, now.read(t, c.id, today[c.name]), then.read(t, c.id, today[c.name]))
				newer := later{now, 0x1122334455667788, "of a later version"}.widened(t, c.id, today[c.name])
				if got, want := then.read(t, c.id, newer), then.read(t, c.id, today[c.name]); got != want {
					t.Errorf("with newer fields it reads\n%s\nwant\n%s", got, want)
				}
			})
		}
		t.Run(filepath.Base(dir)+"/index", func(t *testing.T) {
			_, head, err := open(today["system.nxs"], key(t, dir))
			must(t, err)
			wantLines(t, now.read(t, systemset.SystemSetIndex_TypeID, head.Raw),
				then.read(t, systemset.SystemSetIndex_TypeID, head.Raw))
		})
	}
}

// wantLines checks that every line of one reading is in the other.
func wantLines(t *testing.T, all, some string) {
	t.Helper()
	lines := map[string]bool{}
	for _, line := range strings.Split(all, "\n") {
		lines[line] = true
	}
	for _, line := range strings.Split(some, "\n") {
		if !lines[line] {
			t.Errorf("the earlier version reads %q, this one does not", line)
		}
	}
}

// A later version adds a word and a pointer to each struct in today's lock and sets both.
type later struct {
	older
	word uint64
	text string
}

// widened returns a message as the later version may write it.
func (l later) widened(t *testing.T, id uint64, raw []byte) []byte {
	t.Helper()
	from, err := capnp.Unmarshal(raw)
	must(t, err)
	root, err := from.Root()
	must(t, err)
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	must(t, msg.SetRoot(l.widen(t, seg, id, root.Struct()).ToPtr()))
	out, err := msg.Marshal()
	must(t, err)
	return out
}

func (l later) widen(t *testing.T, seg *capnp.Segment, id uint64, s capnp.Struct) capnp.Struct {
	t.Helper()
	to, err := capnp.NewStruct(seg, l.size(id))
	must(t, err)
	l.fill(t, seg, id, to, s)
	return to
}

// size returns the size of a struct in the later version.
func (l later) size(id uint64) capnp.ObjectSize {
	layout := l.nodes[id].Layout
	return capnp.ObjectSize{DataSize: capnp.Size(8 * (layout.DataWords + 1)), PointerCount: layout.Pointers + 1}
}

// fill copies a struct into a wider one, and widens everything that it refers to.
func (l later) fill(t *testing.T, seg *capnp.Segment, id uint64, to, from capnp.Struct) {
	t.Helper()
	must(t, to.CopyFrom(from))
	for _, f := range l.nodes[id].Fields {
		if f.Place.Section != "pointer" {
			continue
		}
		p, err := from.Ptr(uint16(f.Place.Offset))
		must(t, err)
		switch {
		case !p.IsValid():
		case l.kind(f.Type) == surface.Struct:
			must(t, to.SetPtr(uint16(f.Place.Offset), l.widen(t, seg, f.Type.ID, p.Struct()).ToPtr()))
		case f.Type.Elements != nil && l.kind(*f.Type.Elements) == surface.Struct:
			list, err := capnp.NewCompositeList(seg, l.size(f.Type.Elements.ID), int32(p.List().Len()))
			must(t, err)
			for i := range p.List().Len() {
				l.fill(t, seg, f.Type.Elements.ID, list.Struct(i), p.List().Struct(i))
			}
			must(t, to.SetPtr(uint16(f.Place.Offset), list.ToPtr()))
		}
	}
	size := l.size(id)
	to.SetUint64(capnp.DataOffset(size.DataSize-8), l.word)
	must(t, to.SetText(size.PointerCount-1, l.text))
}

// FuzzLaterFieldsSurvive takes records as later versions may write them, with anything in the fields that are unknown
// here. A change by this version must keep those fields.
func FuzzLaterFieldsSurvive(f *testing.F) {
	f.Add(uint64(0x1122334455667788), "of a later version")
	f.Add(uint64(0), "")
	f.Add(uint64(1)<<63, "\xff")
	f.Fuzz(func(t *testing.T, word uint64, text string) {
		if len(text) > 1<<10 || strings.ContainsRune(text, 0) {
			t.Skip("not what a writer would put there")
		}
		today := files(t)
		now := newOlder(t, today["API.lock"])
		record, err := bootctl.Decode(later{now, word, text}.widened(t, bootrecord.BootRecord_TypeID,
			today["record-rich"]))
		must(t, err)
		next, _ := record.BootAttempt()
		raw, err := bootctl.Encode(next)
		must(t, err)

		known := now.nodes[bootrecord.BootRecord_TypeID].Layout
		msg, err := capnp.Unmarshal(raw)
		must(t, err)
		root, err := msg.Root()
		must(t, err)
		p, err := root.Struct().Ptr(known.Pointers)
		must(t, err)
		if got := root.Struct().Uint64(capnp.DataOffset(8 * known.DataWords)); got != word || p.Text() != text {
			t.Errorf("got %#x, %q, want %#x, %q", got, p.Text(), word, text)
		}
	})
}
