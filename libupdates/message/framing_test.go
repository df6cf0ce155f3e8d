package message_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/libupdates/message"
)

func words(w ...uint64) []byte {
	var b []byte
	for _, x := range w {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

// table returns the segment table of a message with segments of these sizes, in words.
func table(sizes ...uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(sizes)-1))
	for _, size := range sizes {
		b = binary.LittleEndian.AppendUint32(b, size)
	}
	return append(b, make([]byte, len(b)%8)...)
}

// many returns n sizes, the first 1 and the others as given.
func many(n int, others uint32) []uint32 {
	return append([]uint32{1}, slices.Repeat([]uint32{others}, n-1)...)
}

func TestOpen(t *testing.T) {
	word := make([]byte, 8)
	for _, c := range []struct {
		name string
		raw  []byte
		ok   bool
	}{
		{"one segment", slices.Concat(table(1), word), true},
		{"two segments", slices.Concat(table(1, 1), word, word), true},
		{"64 segments", slices.Concat(table(many(64, 0)...), word), true},
		{"segment of no words", table(0), true},

		{"65 segments", slices.Concat(table(many(65, 0)...), word), false},
		{"2^32 segments", words(0xffffffff, 0, 0), false},
		{"2^31 segments", words(0x7fffffff, 0, 0), false},
		{"nothing", nil, false},
		{"part of a word", slices.Concat(table(1), word)[:7], false},
		{"no whole word at the end", slices.Concat(table(1), word)[:15], false},
		{"table that is cut off", table(many(64, 0)...)[:64], false},
		{"one word less", slices.Concat(table(2), word), false},
		{"one word more", slices.Concat(table(1), word, word), false},
		{"one byte more", slices.Concat(table(1), word, []byte{0}), false},
		{"segment of 2^32-1 words", slices.Concat(table(0xffffffff), word), false},
		{"64 segments of 2^32-1 words", slices.Concat(table(many(64, 0xffffffff)...), word), false},
		{"sizes whose sum wraps in 32 bits", slices.Concat(table(0x80000001, 0x80000000), word), false},
		{"sizes in bytes whose sum wraps in 32 bits", slices.Concat(table(0x20000001), word), false},
	} {
		msg, err := message.Open(c.raw)
		if (err == nil) != c.ok || (msg != nil) != c.ok {
			t.Errorf("%s: got %v, %v", c.name, msg, err)
		}
	}
}

// walk visits all structs and lists of pointers in a message, and returns the first error.
func walk(p capnp.Ptr) error {
	s := p.Struct()
	for i := range uint16(s.Size().PointerCount) {
		next, err := s.Ptr(i)
		if err != nil {
			return err
		}
		if err := walk(next); err != nil {
			return err
		}
	}
	list := capnp.PointerList(p.List())
	for i := range list.Len() {
		next, err := list.At(i)
		if err != nil {
			return err
		}
		if err := walk(next); err != nil {
			return err
		}
	}
	return nil
}

func walkAll(t *testing.T, raw []byte) error {
	t.Helper()
	msg, err := message.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	root, err := msg.Root()
	if err != nil {
		return err
	}
	return walk(root)
}

// chain returns a message of n structs, each of which refers to the next. The last one refers to nothing, or to itself.
func chain(n int, last uint64) []byte {
	w := slices.Repeat([]uint64{1 << 48}, n+1) // a struct of one pointer, right behind
	w[n] = last
	return append(table(uint32(n+1)), words(w...)...)
}

func TestNestingIsBounded(t *testing.T) {
	const itself = 1<<48 | 0xfffffffc
	for _, c := range []struct {
		name string
		raw  []byte
		ok   bool
	}{
		{"8 deep", chain(8, 0), true},
		{"9 deep", chain(9, 0), false},
		{"100 000 deep", chain(100_000, 0), false},
		{"leads to itself", chain(1, itself), false},
	} {
		if err := walkAll(t, c.raw); (err == nil) != c.ok {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// A message may point to one object many times. The total size of what is read is bounded by a small multiple of its
// size.
func TestUnfoldingIsBounded(t *testing.T) {
	for count, ok := range map[int]bool{7: true, 9: false} {
		msg, seg := capnp.NewSingleSegmentMessage(nil)
		root, err := capnp.NewRootStruct(seg, capnp.ObjectSize{PointerCount: 1})
		if err != nil {
			t.Fatal(err)
		}
		big, err := capnp.NewStruct(seg, capnp.ObjectSize{DataSize: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		list, err := capnp.NewPointerList(seg, int32(count))
		if err != nil {
			t.Fatal(err)
		}
		for i := range count {
			if err := list.Set(i, big.ToPtr()); err != nil {
				t.Fatal(err)
			}
		}
		if err := root.SetPtr(0, list.ToPtr()); err != nil {
			t.Fatal(err)
		}
		raw, err := msg.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > 80<<10 {
			t.Fatalf("the object was copied: %d bytes", len(raw))
		}
		if err := walkAll(t, raw); (err == nil) != ok {
			t.Errorf("%d times: got %v", count, err)
		}
	}
}

// Equal structs give the same bytes, however they were built.
func TestCanonical(t *testing.T) {
	var forms [][]byte
	for _, arena := range []capnp.Arena{
		capnp.SingleSegment(nil),
		capnp.MultiSegment([][]byte{make([]byte, 0, 8), make([]byte, 0, 64), make([]byte, 0, 512)}),
	} {
		msg, seg, err := capnp.NewMessage(arena)
		if err != nil {
			t.Fatal(err)
		}
		// with unused space, which the canonical form does not have
		root, err := capnp.NewRootStruct(seg, capnp.ObjectSize{DataSize: 16, PointerCount: 3})
		if err != nil {
			t.Fatal(err)
		}
		root.SetUint64(0, 7)
		for i, text := range []string{"overwritten", "one", "two"} {
			if err := root.SetText(uint16(max(i-1, 0)), text); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := message.Canonical(root)
		if err != nil {
			t.Fatal(err)
		}
		forms = append(forms, raw)
		msg.Release()
	}
	want := slices.Concat(table(6), words(2<<48|1<<32, 7, 5|(4<<3|2)<<32, 5|(4<<3|2)<<32),
		[]byte("one\x00\x00\x00\x00\x00two\x00\x00\x00\x00\x00"))
	for i, got := range forms {
		if !bytes.Equal(got, want) {
			t.Errorf("form %d:\ngot  %x\nwant %x", i, got, want)
		}
	}
	if _, err := message.Open(want); err != nil {
		t.Error(err)
	}
}

func TestText(t *testing.T) {
	broken := errors.New("cannot read the field")
	for _, c := range []struct {
		text string
		err  error
		ok   bool
	}{
		{"", nil, true},
		{"alpha", nil, true},
		{"älpha", nil, true}, // 6 bytes
		{"alphas", nil, true},
		{"alphabet", nil, false},
		{"al\x00a", nil, false},
		{"\xff", nil, false},
		{"\xc0\x80", nil, false},     // NUL in two bytes
		{"\xed\xa0\x80", nil, false}, // half a surrogate pair
		{"alpha", broken, false},
	} {
		got, err := message.Text(c.text, c.err, 6)
		if (err == nil) != c.ok || c.ok && got != c.text || !c.ok && got != "" {
			t.Errorf("%q: got %q, %v", c.text, got, err)
		}
		if c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("got %v, want %v", err, c.err)
		}
	}
	if _, err := message.Text(strings.Repeat("\n", 1<<20), nil, 6); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("the text is in the error: %q", err)
	}
}

// FuzzOpen: whatever the bytes, reading ends and stays within them.
func FuzzOpen(f *testing.F) {
	f.Add(chain(8, 0))
	f.Add(chain(1, 1<<48|0xfffffffc))
	f.Add(slices.Concat(table(many(64, 0)...), make([]byte, 8)))
	f.Add(slices.Concat(table(1, 1), words(2|1<<32, 0)))
	f.Add(words(1<<32, 2))
	f.Fuzz(func(t *testing.T, raw []byte) {
		msg, err := message.Open(raw)
		if err != nil {
			return
		}
		if root, err := msg.Root(); err == nil {
			_ = walk(root) // an error or none: it ends
		}
	})
}
