package delta

import (
	"bytes"
	"testing"

	"nexus/libupdates/refusal"
)

// FuzzApply: whatever a verified patch says and whatever the old file is, the applier refuses, or makes as many bytes
// as were announced.
func FuzzApply(f *testing.F) {
	for _, m := range []machine{amd64, arm64, riscv64} {
		a, b := fake(m, 60), fake(m, 60)
		b.strings += 24
		old, fresh := a.bytes(), b.bytes()
		maker, err := newMaker(bytes.NewReader(old), int64(len(old)), bytes.NewReader(fresh),
			int64(len(fresh)))
		if err != nil {
			f.Fatal(err)
		}
		blocks, err := maker.blocks()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(old, maker.control.encode(), blocks[1], uint32(len(fresh)))
	}
	f.Add([]byte("0123456789abcdef"), onePiece(16, 0), body(16, numbers(3, 2), []byte{1, 2}, nil), uint32(16))
	f.Fuzz(func(t *testing.T, old, control, block []byte, size uint32) {
		newSize := int64(size % (4 << 20))
		if len(control) > maxControl || len(block) > maxContent {
			return
		}
		p, patch := chained(Patch{OldSize: int64(len(old)), NewSize: newSize},
			first(uint64(len(old)), uint64(newSize), control), block)
		got, err := applied(p, old, patch, 0)
		if err == nil && int64(len(got)) != newSize {
			t.Fatalf("made %d of %d bytes", len(got), newSize)
		}
		if err != nil && refusal.Of(err) != refusal.BadPatch {
			t.Fatalf("refused as %q: %v", refusal.Of(err), err)
		}
		if int64(len(got)) > newSize {
			t.Fatalf("made %d of %d bytes", len(got), newSize)
		}
	})
}

// FuzzMake: what is made of any two files turns one into the other.
func FuzzMake(f *testing.F) {
	f.Add([]byte("The old file."), []byte("The new file, longer than the old one."))
	f.Add(fake(amd64, 20).bytes(), fake(amd64, 21).bytes())
	f.Add(fake(riscv64, 20).bytes(), fake(arm64, 21).bytes())
	f.Fuzz(func(t *testing.T, before, after []byte) { wantPair(t, before, after) })
}
