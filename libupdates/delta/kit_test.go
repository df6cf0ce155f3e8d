package delta

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"testing"

	"nexus/libupdates/refusal"
)

// made returns the patch between two texts.
func made(t testing.TB, before, after []byte) (Patch, []byte) {
	t.Helper()
	var patch bytes.Buffer
	p, err := Make(&patch, bytes.NewReader(before), int64(len(before)), bytes.NewReader(after), int64(len(after)))
	if err != nil {
		t.Fatal(err)
	}
	return p, patch.Bytes()
}

// applied returns what a patch makes of a text, from an offset on.
func applied(p Patch, before, patch []byte, from int64) ([]byte, error) {
	var out bytes.Buffer
	err := p.Apply(&out, bytes.NewReader(before), bytes.NewReader(patch), from)
	return out.Bytes(), err
}

// wantPair makes a patch between two texts and back, and applies both.
func wantPair(t *testing.T, a, b []byte) (there int) {
	t.Helper()
	for i, pair := range [][2][]byte{{a, b}, {b, a}} {
		p, patch := made(t, pair[0], pair[1])
		got, err := applied(p, pair[0], patch, 0)
		if err != nil || !bytes.Equal(got, pair[1]) {
			t.Fatalf("patch from %d to %d bytes makes %d others: %v", len(pair[0]), len(pair[1]), len(got), err)
		}
		if err := p.Verify(bytes.NewReader(patch)); err != nil {
			t.Fatalf("patch does not verify: %v", err)
		}
		if i == 0 {
			there = len(patch)
		}
	}
	return there
}

func wantRefused(t *testing.T, what string, err error, reason refusal.Reason) {
	t.Helper()
	if refusal.Of(err) != reason || err == nil {
		t.Errorf("%s: got %q (%v), want %q", what, refusal.Of(err), err, reason)
	}
}

// wholePairs is how many random pairs are tried.
var wholePairs = flag.Int("pairs", 0, "random pairs to try")

func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 22)) }

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, (n+7)/8*8)
	for at := 0; at < len(b); at += 8 {
		binary.LittleEndian.PutUint64(b[at:], r.Uint64())
	}
	return b[:n]
}

// A fakeProgram is an ELF file with functions that call each other and use data, made for any machine.
type fakeProgram struct {
	machine machine
	sizes   []int // of the functions, in bytes
	names   []int // their identities: a call names one of them
	strings int   // bytes of data before the words
}

// Layout of a fake program.
const (
	fakeBase = 0x400000
	fakeText = 0x1000

	fakeCallees = 500 // functions that are called
)

// bytes returns the file: headers, code, and data that points into the code.
func (f fakeProgram) bytes() []byte {
	le := binary.LittleEndian
	entry := map[int]int{}
	at := fakeText
	for i, size := range f.sizes {
		entry[f.names[i]] = at
		at += size
	}
	data := (at+0xfff)&^0xfff + f.strings
	b := make([]byte, data+8*len(f.sizes))
	for i, size := range f.sizes {
		f.function(b[entry[f.names[i]]:][:size], entry[f.names[i]], f.names[i], entry, data)
		le.PutUint64(b[data+8*i:], uint64(fakeBase+entry[f.names[i]]))
	}
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], fixedAddress)
	le.PutUint16(b[18:], uint16(f.machine))
	le.PutUint64(b[32:], elfHeader)
	le.PutUint16(b[54:], elfProgram)
	le.PutUint16(b[56:], 2)
	header := func(b []byte, flags uint32, off, size, memory int) {
		le.PutUint32(b, loadable)
		le.PutUint32(b[4:], flags)
		le.PutUint64(b[8:], uint64(off))
		le.PutUint64(b[16:], uint64(fakeBase+off))
		le.PutUint64(b[32:], uint64(size))
		le.PutUint64(b[40:], uint64(memory))
	}
	header(b[elfHeader:], segmentExecute, fakeText, at-fakeText, at-fakeText)
	header(b[elfHeader+elfProgram:], 0, (at+0xfff)&^0xfff, len(b)-(at+0xfff)&^0xfff, len(b)-(at+0xfff)&^0xfff+4096)
	return b
}

// function fills one function with code that only its name determines, but for where things are.
func (f fakeProgram) function(b []byte, at, name int, entry map[int]int, data int) {
	r := dice(uint64(name))
	to := &space{size: 1 << 40, segments: []segment{{0, 0, 1 << 40, 1 << 40}}}
	put := func(off int, form form, target int, field ...uint32) {
		for i, v := range field {
			binary.LittleEndian.PutUint32(b[off+4*i:], v)
		}
		reference{at: int64(at + off), target: int64(target), form: form}.put(b[off:], to, nil)
	}
	for off := 0; off+16 <= len(b); off += 16 {
		callee, ok := entry[r.IntN(fakeCallees)]
		if !ok {
			callee = at
		}
		constant := uint32(r.Uint64())
		switch f.machine {
		case amd64:
			copy(b[off:], []byte{0xe8, 0, 0, 0, 0, 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xb0, byte(constant), 0x90, 0x90})
			put(off+1, relative32, callee)
			put(off+8, relative32, data)
		case riscv64:
			put(off, jump20, callee, rvJAL|1<<7)
			put(off+4, pairLoad, data, rvAUIPC|5<<7, rvLoad|5<<15|3<<12|6<<7)
			binary.LittleEndian.PutUint32(b[off+12:], rvOpImm|constant&^0x7f)
		case arm64:
			put(off, branch26, callee, 0x94000000)
			put(off+4, page, data, 0x90000005, 0x91000000|5<<5|6)
			binary.LittleEndian.PutUint32(b[off+12:], 0xd2800000|constant&0x1fffe0)
		}
	}
}

// fake returns a program with n functions.
func fake(m machine, n int) fakeProgram {
	f, r := fakeProgram{machine: m, strings: 64}, dice(1)
	for i := range n {
		f.sizes = append(f.sizes, 16*(1+r.IntN(12)))
		f.names = append(f.names, i)
	}
	return f
}
