package delta

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEdits: what a patch makes is the new text, whatever was edited.
func TestEdits(t *testing.T) {
	r := dice(1)
	base := noise(r, 3*stride+17)
	for name, pair := range map[string][2][]byte{
		"nothing":                       {nil, nil},
		"from nothing":                  {nil, base},
		"to nothing":                    {base, nil},
		"equal":                         {base, base},
		"one byte":                      {[]byte("a"), []byte("b")},
		"swapped halves":                {base, slices.Concat(base[len(base)/2:], base[:len(base)/2])},
		"all different":                 {base, noise(r, len(base))},
		"doubled":                       {base, slices.Concat(base, base)},
		"zeros":                         {make([]byte, 4*stride), make([]byte, 5*stride+1)},
		"every 16th byte":               {base, every(16, base)},
		"every 2nd byte":                {base, every(2, base)},
		"more literals than a block":    {base, slices.Concat(base, noise(r, maxContent+12345), base)},
		"more differences than a block": {noise(dice(3), 3*maxContent), every(2, noise(dice(3), 3*maxContent))},
	} {
		t.Run(name, func(t *testing.T) { wantPair(t, pair[0], pair[1]) })
	}
}

// every returns a text with every nth byte changed.
func every(n int, b []byte) []byte {
	b = bytes.Clone(b)
	for i := 0; i < len(b); i += n {
		b[i] += byte(1 + i%250)
	}
	return b
}

// TestRandomEdits: the same for thousands of random pairs, of text, noise and runs.
func TestRandomEdits(t *testing.T) {
	pairs := 40 // a few seconds; -args -pairs 5000 takes minutes
	if *wholePairs > 0 {
		pairs = *wholePairs
	}
	for seed := range pairs {
		r := dice(uint64(seed))
		a := noise(r, r.IntN(3000))
		for i := range a {
			a[i] &= byte(255 >> r.IntN(7))
		}
		b := bytes.Clone(a)
		for range r.IntN(12) {
			from := r.IntN(len(b) + 1)
			to := from + r.IntN(len(b)-from+1)
			switch r.IntN(4) {
			case 0:
				b = slices.Delete(b, from, to)
			case 1:
				b = slices.Insert(b, from, noise(r, r.IntN(200))...)
			case 2:
				b = slices.Insert(b, from, bytes.Clone(b[from:to])...)
			default:
				for i := from; i < to; i += 1 + r.IntN(40) {
					b[i]++
				}
			}
			b = b[:min(len(b), 20000)]
		}
		wantPair(t, a, b)
	}
}

// TestMovedFunctions: a function that was inserted, deleted or moved costs little more than itself, because everything
// that refers to what moved is predicted.
func TestMovedFunctions(t *testing.T) {
	for _, m := range []machine{amd64, arm64, riscv64} {
		old := fake(m, 3000)
		size := len(old.bytes())
		inserted, deleted, swapped, shifted := fake(m, 3000), fake(m, 3000), fake(m, 3000), fake(m, 3000)
		inserted.names = slices.Insert(inserted.names, 700, 9999)
		inserted.sizes = slices.Insert(inserted.sizes, 700, 64)
		deleted.names, deleted.sizes = slices.Delete(deleted.names, 2999, 3000),
			slices.Delete(deleted.sizes, 2999, 3000)
		swapped.names[10], swapped.names[2000] = swapped.names[2000], swapped.names[10]
		swapped.sizes[10], swapped.sizes[2000] = swapped.sizes[2000], swapped.sizes[10]
		shifted.strings += 8
		for name, fresh := range map[string]fakeProgram{
			"inserted": inserted, "deleted": deleted, "swapped": swapped, "shifted": shifted,
		} {
			t.Run(fmt.Sprint(name, m), func(t *testing.T) {
				if got := wantPair(t, old.bytes(), fresh.bytes()); got > 600 {
					t.Errorf("a patch of %d bytes, for a program of %d", got, size)
				}
			})
		}
	}
}

// TestSamePatch: the same files give the same patch.
func TestSamePatch(t *testing.T) {
	a, b := fake(amd64, 500), fake(amd64, 500)
	b.strings += 16
	_, first := made(t, a.bytes(), b.bytes())
	_, second := made(t, a.bytes(), b.bytes())
	if !bytes.Equal(first, second) {
		t.Error("two patches between the same files differ")
	}
}

// TestResume: what is applied from an offset on is the rest of the result, whatever the offset.
func TestResume(t *testing.T) {
	r := dice(5)
	old := fake(riscv64, 2000).bytes()
	moved := fake(riscv64, 2000)
	moved.strings += 24
	fresh := slices.Concat(moved.bytes(), noise(r, maxContent+999), old[:stride])
	p, patch := made(t, old, fresh)
	for _, from := range []int64{0, 1, stride - 1, stride, stride + 1, 100_000, maxContent, int64(len(fresh)) - 1,
		int64(len(fresh))} {
		got, err := applied(p, old, patch, from)
		if err != nil || !bytes.Equal(got, fresh[from:]) {
			t.Errorf("from %d: %d bytes, %v", from, len(got), err)
		}
	}
	for range 40 {
		from := r.Int64N(int64(len(fresh)))
		if got, err := applied(p, old, patch, from); err != nil || !bytes.Equal(got, fresh[from:]) {
			t.Errorf("from %d: %d bytes, %v", from, len(got), err)
		}
	}
}

// TestPatchIsPinned tells when the same files no longer give the same patch: with another version of the coder, or
// after a change of the maker. Patches made before can still be applied, but whoever compares them has to know.
func TestPatchIsPinned(t *testing.T) {
	for m, want := range map[machine]string{amd64: "9ba41464558b3490", arm64: "b3bd8e123a58047d",
		riscv64: "cdc6cf115dea52d5"} {
		a, b := fake(m, 500), fake(m, 500)
		b.names, b.sizes = slices.Insert(b.names, 100, 777), slices.Insert(b.sizes, 100, 48)
		p, _ := made(t, a.bytes(), b.bytes())
		if got := fmt.Sprintf("%x", p.First.Digest[:8]); got != want {
			t.Errorf("machine %d: the first block has the digest %s, not %s", m, got, want)
		}
	}
}

// TestModelSparesMemory: a predictor keeps few chunks, however many it has read.
func TestModelSparesMemory(t *testing.T) {
	raw := fake(riscv64, 40_000).bytes()
	m := newModel(bytes.NewReader(raw), int64(len(raw)))
	for chunk := int64(0); chunk*chunkSize < m.size; chunk++ {
		if _, err := m.references(chunk); err != nil {
			t.Fatal(err)
		}
		if len(m.chunks) > keptChunks || len(m.order) != len(m.chunks) {
			t.Fatalf("%d chunks are kept after %d, at most %d should be", len(m.chunks), chunk+1, keptChunks)
		}
	}
	if m.size < 2*keptChunks*chunkSize {
		t.Fatalf("a program of %d bytes proves nothing", m.size)
	}
}

// TestRealPrograms: the same for programs of the Go toolchain, whose function tables are understood.
func TestRealPrograms(t *testing.T) {
	dir, err := exec.Command("go", "env", "GOTOOLDIR").Output()
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "preprofile"))
	if err != nil {
		t.Skipf("the toolchain has no such program: %v", err)
	}
	fresh, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "asm"))
	if err != nil {
		t.Skipf("the toolchain has no such program: %v", err)
	}
	m := newModel(bytes.NewReader(old), int64(len(old)))
	if m.prog.machine == noMachine {
		t.Skip("these programs are for another system")
	}
	if g := m.table; g.funcs < 1000 || g.buckets < 10 || g.types.from == 0 {
		t.Errorf("its table has %d functions, %d buckets, types from %d", g.funcs, g.buckets, g.types.from)
	}
	p, patch := made(t, old, fresh)
	if got, err := applied(p, old, patch, 0); err != nil || !bytes.Equal(got, fresh) {
		t.Errorf("the patch makes %d others bytes: %v", len(got), err)
	}
	if len(patch) > len(fresh)/2 {
		t.Errorf("a patch of %d bytes, for a program of %d", len(patch), len(fresh))
	}
}

// TestMostIsNew: what is behind a long stretch of other bytes is found, although it is where it was.
func TestMostIsNew(t *testing.T) {
	const news = 600_000
	before := noise(dice(1), 800_000)
	after := slices.Concat(noise(dice(2), news), before[news:])
	_, patch := made(t, before, after)
	if len(patch) > news+1000 {
		t.Errorf("the patch has %d bytes for %d that are new", len(patch), news)
	}
}
