package delta

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/refusal"
)

// chained links blocks without links into a patch, as Make does.
func chained(p Patch, blocks ...[]byte) (Patch, []byte) {
	var all []byte
	p.First = Link{}
	for _, b := range slices.Backward(blocks) {
		b = append(appendLink(nil, p.First), b...)
		p.First = linkTo(b)
		all = append(bytes.Clone(b), all...)
	}
	return p, all
}

// part returns a part that is not compressed.
func part(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b)<<1)), b...) }

func numbers(values ...uint64) (b []byte) {
	for _, v := range values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// first returns the body of a first block.
func first(oldSize, newSize uint64, control []byte) []byte {
	return slices.Concat([]byte{version}, numbers(oldSize, newSize), part(control))
}

// body returns the body of another block.
func body(length uint64, runs, wrong, literals []byte) []byte {
	return slices.Concat(numbers(length), part(runs), part(wrong), part(literals))
}

// onePiece is the control part that takes n bytes from an offset of the old file for the start of the new one.
func onePiece(n, old uint64) []byte { return numbers(0, 0, 1, 0, n, old<<1, 0) }

// TestRefusesNonsense: a patch that is what was named but makes no sense is refused for an exact reason.
func TestRefusesNonsense(t *testing.T) {
	old := []byte("0123456789abcdef")
	good := body(16, nil, nil, nil)
	for what, blocks := range map[string][][]byte{
		"no version":               {nil},
		"no sizes":                 {{version}},
		"a number that never ends": {{version, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}},
		"a number with a lead of 0": {slices.Concat([]byte{version, 0x90, 0x00}, numbers(16), part(onePiece(16, 0))),
			good},
		"a size over the limit":     {first(MaxSize+1, 16, onePiece(16, 0)), good},
		"no control part":           {slices.Concat([]byte{version}, numbers(16, 16))},
		"control part cut":          {slices.Concat([]byte{version}, numbers(16, 16, 9<<1), onePiece(16, 0)[:5])},
		"bytes after control part":  {append(first(16, 16, onePiece(16, 0)), 0), good},
		"bytes after pieces":        {first(16, 16, append(onePiece(16, 0), 0)), good},
		"more pieces than bytes":    {first(16, 16, numbers(0, 0, 200)), good},
		"too many segments":         {first(16, 16, numbers(maxSegments+1)), good},
		"a segment beyond the file": {first(16, 16, append(numbers(1, 8, 0, 9, 9), onePiece(16, 0)[1:]...)), good},
		"overlapping segments": {first(16, 16, append(numbers(2, 0, 0, 9, 9, 0, 8, 8, 8), onePiece(16, 0)[1:]...)),
			good},
		"too many bases":            {first(16, 16, numbers(0, maxBases+1)), good},
		"a piece beyond the old":    {first(16, 16, onePiece(16, 1)), good},
		"a piece before the old":    {first(16, 16, numbers(0, 0, 1, 0, 16, 1, 0)), good},
		"a piece beyond the new":    {first(16, 16, onePiece(17, 0)), good},
		"a gap beyond the new":      {first(16, 16, numbers(0, 0, 1, 17, 1, 0, 0)), good},
		"too much learned":          {first(16, 16, append(onePiece(16, 0)[:6], numbers(maxLearned+1)...)), good},
		"learned out of bounds":     {first(16, 16, append(onePiece(16, 0)[:6], numbers(1, 5, 1, 99)...)), good},
		"result too long":           {first(16, 16, onePiece(16, 0)), body(17, nil, nil, nil)},
		"result too short":          {first(16, 16, onePiece(16, 0)), body(15, nil, nil, nil)},
		"a block of nothing":        {first(16, 16, onePiece(16, 0)), body(0, nil, nil, nil), good},
		"no result":                 {first(16, 16, onePiece(16, 0))},
		"literals too short":        {first(16, 16, onePiece(12, 0)), body(16, nil, nil, []byte("abc"))},
		"literals too long":         {first(16, 16, onePiece(12, 0)), body(16, nil, nil, []byte("abcde"))},
		"corrections beyond result": {first(16, 16, onePiece(16, 0)), body(16, numbers(16, 1), []byte{1}, nil)},
		"corrections half there":    {first(16, 16, onePiece(16, 0)), body(16, numbers(3), []byte{1}, nil)},
		"corrections without bytes": {first(16, 16, onePiece(16, 0)), body(16, numbers(3, 2), []byte{1}, nil)},
		"bytes without corrections": {first(16, 16, onePiece(16, 0)), body(16, nil, []byte{1}, nil)},
		"an empty correction":       {first(16, 16, onePiece(16, 0)), body(16, numbers(1, 0), nil, nil)},
		"bytes after literals":      {first(16, 16, onePiece(16, 0)), append(body(16, nil, nil, nil), 0)},
		"a part that is no Zstandard": {first(16, 16, onePiece(16, 0)),
			slices.Concat(numbers(16, 4<<1|compressed), []byte("abcd"), part(nil), part(nil))},
	} {
		p, patch := chained(Patch{OldSize: 16, NewSize: 16}, blocks...)
		_, err := applied(p, old, patch, 0)
		wantRefused(t, what, err, refusal.BadPatch)
		wantRefused(t, what+", verified", p.Verify(bytes.NewReader(patch)), refusal.BadPatch)
	}
	p, patch := chained(Patch{OldSize: 16, NewSize: 16}, first(16, 16, onePiece(16, 0)), good)
	if got, err := applied(p, old, patch, 0); err != nil || !bytes.Equal(got, old) {
		t.Errorf("a patch without changes makes %q, %v", got, err)
	}
}

// TestRefusesWrongFrames: what is announced binds the patch, and what is named binds every block.
func TestRefusesWrongFrames(t *testing.T) {
	old := []byte("0123456789abcdef")
	p, patch := chained(Patch{OldSize: 16, NewSize: 16}, first(16, 16, onePiece(16, 0)), body(16, nil, nil, nil))
	later, other := p, p
	later.OldSize, other.NewSize = 17, 15
	for what, c := range map[string]struct {
		p      Patch
		patch  []byte
		reason refusal.Reason
	}{
		"another old size":      {later, patch, refusal.SizeMismatch},
		"another new size":      {other, patch, refusal.SizeMismatch},
		"cut in the first":      {p, patch[:len(patch)/2], refusal.Truncated},
		"cut in the last":       {p, patch[:len(patch)-1], refusal.Truncated},
		"nothing":               {p, nil, refusal.Truncated},
		"a byte more":           {p, append(bytes.Clone(patch), 0), refusal.TrailingData},
		"an empty first block":  {Patch{OldSize: 16, NewSize: 16}, patch, refusal.BadPatch},
		"a first block too big": {Patch{16, 16, Link{Size: MaxBlock + 1}}, patch, refusal.BadPatch},
	} {
		_, err := applied(c.p, old, c.patch, 0)
		wantRefused(t, what, err, c.reason)
	}
	for i := range patch { // every byte is covered by a digest
		damaged := bytes.Clone(patch)
		damaged[i] ^= 1
		_, err := applied(p, old, damaged, 0)
		wantRefused(t, "a damaged byte", err, refusal.DigestMismatch)
	}
	newer, patch := chained(Patch{OldSize: 16, NewSize: 16},
		slices.Concat([]byte{version + 1}, first(16, 16, onePiece(16, 0))[1:]), body(16, nil, nil, nil))
	_, err := applied(newer, old, patch, 0)
	wantRefused(t, "another version", err, refusal.BadSchemaVersion)
}

// TestRefusesExpansion: a part that says more than is allowed, or more than it has, is refused before it is expanded.
func TestRefusesExpansion(t *testing.T) {
	packer, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	frame := func(n int) []byte { return packer.encoder.EncodeAll(make([]byte, n), nil) }
	expansions := map[string]string{"too much": "does not say that it has at most 2097152 bytes",
		"a false size": "the corrections cannot be decompressed"}
	silent := frame(1000) // the size of its content is in its header
	silent[5], silent[6] = 0xff, 0xff
	for what, raw := range map[string][]byte{"too much": frame(maxContent + 1), "a false size": silent} {
		block := slices.Concat(numbers(16, uint64(len(raw)<<1|compressed)), raw, part(nil), part(nil))
		p, patch := chained(Patch{OldSize: 16, NewSize: 16}, first(16, 16, onePiece(16, 0)), block)
		_, err := applied(p, make([]byte, 16), patch, 0)
		wantRefused(t, what, err, refusal.BadPatch)
		if want := expansions[what]; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: refused with %v, want %q", what, err, want)
		}
	}
}

// TestWrongBase: an old file that is not the one of the patch never crashes the applier; the digest of the result shows
// it. One that fails to be read is an error of its own.
func TestWrongBase(t *testing.T) {
	old, moved := fake(amd64, 400), fake(amd64, 400)
	moved.strings += 40
	a, b := old.bytes(), moved.bytes()
	p, patch := made(t, a, b)
	r := dice(7)
	for range 300 {
		wrong := bytes.Clone(a)
		for range 1 + r.IntN(20) {
			wrong[r.IntN(min(len(wrong), 400+r.IntN(len(wrong))))] = byte(r.Uint32())
		}
		got, err := applied(p, wrong, patch, 0)
		if err != nil && refusal.Of(err) != refusal.BadPatch || err == nil && len(got) != len(b) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	var out bytes.Buffer
	if err := p.Apply(&out, bytes.NewReader(a[:len(a)/2]), bytes.NewReader(patch), 0); err == nil {
		t.Error("half of the old file was enough")
	}
	if err := p.Apply(full{}, bytes.NewReader(a), bytes.NewReader(patch), 0); err != io.ErrShortWrite {
		t.Errorf("a full disk: %v", err)
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
