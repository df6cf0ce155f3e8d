package testscripts

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/delta"
	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
)

// A forgery is a delta whose publisher is trusted and which makes one payload by a patch that no maker would make.
type forgery struct {
	reason, text string
	base         []byte
	oldSize      int64  // of the base, as the signed index announces it
	after        uint64 // bytes that the last block names as those of the next
	blocks       [][]byte
}

// patch chains the blocks.
func (f forgery) patch() (p delta.Patch, patch []byte) {
	p.OldSize, p.First.Size = f.oldSize, int64(f.after)
	for _, b := range slices.Backward(f.blocks) {
		head := numbers(uint64(p.First.Size))
		if p.First.Size > 0 {
			head = append(head, p.First.Digest[:]...)
		}
		b = append(head, b...)
		p.First = delta.Link{Size: int64(len(b)), Digest: sha256.Sum256(b)}
		patch = append(b, patch...)
	}
	return p, patch
}

func numbers(values ...uint64) (b []byte) {
	for _, v := range values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// plainPart is a part that is not compressed, framed one that claims to be.
func plainPart(b []byte) []byte  { return append(numbers(uint64(len(b)<<1)), b...) }
func framedPart(b []byte) []byte { return append(numbers(uint64(len(b)<<1|1)), b...) }

// firstBlock is the start of a patch that takes n bytes of the old payload, from a distance on, for the new one.
func firstBlock(oldSize, newSize, n int, from int64) []byte {
	control := numbers(0, 0, 1, 0, uint64(n), uint64(from<<1)^uint64(from>>63), 0)
	return slices.Concat([]byte{1}, numbers(uint64(oldSize), uint64(newSize)), plainPart(control))
}

func otherBlock(length int, runs, wrong, literals []byte) []byte {
	return slices.Concat(numbers(uint64(length)), plainPart(runs), plainPart(wrong), plainPart(literals))
}

// zeros is a frame of Zstandard that says it has so many bytes, of which it has 128 KiB, in 18 bytes of its own.
func zeros(says uint64) []byte {
	frame := binary.LittleEndian.AppendUint64([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}, says)
	return append(frame, 0x03, 0x00, 0x10, 0)
}

// news is what the new payload has at its end and the old one has not.
const news = "and what is new"

// forgeries are patches on a base; manifest and index are other files of the device.
func forgeries(base, manifest, index []byte) map[string]forgery {
	size := len(base)
	made := size + len(news)
	first := firstBlock(size, made, size, 0)
	good := otherBlock(made, nil, nil, []byte(news))
	nothing := otherBlock(0, nil, nil, nil)
	on := func(reason, text string, blocks ...[]byte) forgery {
		return forgery{reason: reason, text: text, base: base, oldSize: int64(size), blocks: blocks}
	}
	all := map[string]forgery{
		"another old size":   on("size-mismatch", "the patch is from", firstBlock(size+1, made, size, 0), good),
		"another new size":   on("size-mismatch", "the patch is from", firstBlock(size, made+1, size, 0), good),
		"beyond the base":    on("bad-patch", "a piece is from 1 to", firstBlock(size, made, size, 1), good),
		"before the base":    on("bad-patch", "a piece is from -1 to", firstBlock(size, made, size, -1), good),
		"longer than result": on("bad-patch", "the length of a piece", firstBlock(size, made, made+1, 0), good),
		"makes too little":   on("bad-patch", "it makes", first, otherBlock(size, nil, nil, nil)),
		"makes too much": on("bad-patch", "the length of a block's result", first,
			otherBlock(made+1, nil, nil, []byte(news+"!"))),
		"literals end":      on("bad-patch", "the literals end too early", first, otherBlock(made, nil, nil, nil)),
		"too many changes":  on("bad-patch", "more corrections", first, otherBlock(made, nil, []byte{1}, []byte(news))),
		"blocks of nothing": on("bad-patch", "a block makes nothing", first, nothing, nothing, good),
		"says a terabyte": on("bad-patch", "does not say that it has at most", first,
			slices.Concat(numbers(uint64(made)), framedPart(zeros(1<<40)), plainPart(nil), plainPart([]byte(news)))),
		"says less than it has": on("bad-patch", "cannot be decompressed", first,
			slices.Concat(numbers(uint64(made)), framedPart(zeros(300)), plainPart(nil), plainPart([]byte(news)))),
		"makes something else": on("digest-mismatch", "digest mismatch", first,
			otherBlock(made, nil, nil, []byte(strings.ToUpper(news)))),
		"another version": on("bad-schema-version", "version of the patch is 2",
			append([]byte{2}, first[1:]...), good),
	}
	endless := on("truncated", "the patch ends too early", first, good)
	endless.after = 100
	all["never ends"] = endless
	for name, other := range map[string][]byte{"a manifest": manifest, "an index": index} {
		f := on("missing-base", "which the device does not hold", firstBlock(len(other), made, len(other), 0), good)
		f.base, f.oldSize = other, int64(len(other))
		all["on "+name] = f
	}
	wrong := on("missing-base", "", first, good)
	wrong.oldSize++
	all["a base of another size"] = wrong
	return all
}

// A forgedRig is a system, a payload that it has, and deltas on that.
type forgedRig struct {
	*crashRig
	base []byte
	made updatestest.Made
}

func newForgedRig(t *testing.T, r *crashRig) *forgedRig {
	t.Helper()
	f := &forgedRig{crashRig: r, base: readFile(t, r.at("system/a/hello.nxb/payload.elf"))}
	f.made = updatestest.Bundle("hello", "9.0.0", nil, append(bytes.Clone(f.base), news...), updatestest.Key(1))
	return f
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// file writes a delta.
func (r *forgedRig) file(t *testing.T, f forgery) string {
	t.Helper()
	p, patch := f.patch()
	p.NewSize = r.made.Entry.PayloadSize
	source := nxs.DeltaSource{Entry: r.made.Entry, RawManifest: r.made.Manifest, Content: bytes.NewReader(patch),
		Making: nxs.Making{Way: nxs.Patch, Base: nxs.Sum(f.base), PatchSize: int64(len(patch)), Patch: p}}
	name := filepath.Join(t.TempDir(), "forged.nxdelta")
	writeFile(t, name, updatestest.DeltaOf(t, updatestest.Key(1), "9.0.0", []updatestest.Made{r.made},
		[]nxs.DeltaSource{source}))
	return name
}

// good writes the delta that a maker would have made.
func (r *forgedRig) good(t *testing.T) string {
	t.Helper()
	size := len(r.base)
	return r.file(t, forgery{base: r.base, oldSize: int64(size), blocks: [][]byte{
		firstBlock(size, size+len(news), size, 0), otherBlock(size+len(news), nil, nil, []byte(news))}})
}

func (r *forgedRig) wantRefused(t *testing.T, end verbEnd, reason, text, before string) {
	t.Helper()
	if end.exit != 1 || end.reason != reason || !strings.Contains(end.text, text) {
		t.Errorf("got %+v, want %q: %q", end, reason, text)
	}
	if now := r.durable(t); now != before {
		t.Errorf("changed; was:\n%snow:\n%s", before, now)
	}
}

func (r *forgedRig) durable(t *testing.T) string {
	t.Helper()
	all, err := durable(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestForgedDeltas: each patch that a trusted publisher could have made but no maker would is refused for one reason,
// and changes nothing. The device takes the next delta that is as it should be.
func TestForgedDeltas(t *testing.T) {
	r := newForgedRig(t, newFetchRig(t))
	before := r.durable(t)
	manifest := readFile(t, r.at("system/a/hello.nxb/manifest.nxb"))
	index := readFile(t, r.at("system/a/system.nxsindex"))
	for name, f := range forgeries(r.base, manifest, index) {
		t.Run(name, func(t *testing.T) {
			r.wantRefused(t, r.nx("update", r.file(t, f)), f.reason, f.text, before)
		})
	}
	r.must("stage", r.good(t))
}

// TestBaseChangesUnderAPatch: a base that changes after it was verified is never half used.
func TestBaseChangesUnderAPatch(t *testing.T) {
	const place = "hello.nxb/payload.elf"
	r := newForgedRig(t, newFetchRig(t))
	f, err := os.OpenFile(r.at("system/a/"+place), os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("a payload cannot be written to here: %v", err)
	}
	defer f.Close()
	file, before := r.good(t), r.durable(t)
	r.strike(cell{daemon: "patchd", crash: crash{signal: syscall.SIGSTOP}})
	update := r.start("update", file)
	r.eventually("the place of the new payload", func() bool {
		now, err := durable(r.dir)
		return err == nil && strings.Count(now, place) > strings.Count(before, place)
	})
	if _, err := f.WriteAt([]byte{^r.base[0]}, 0); err != nil {
		t.Fatal(err)
	}
	r.strike(cell{daemon: "patchd", crash: crash{signal: syscall.SIGCONT}})
	end := update.wait(r.crashRig)
	if _, err := f.WriteAt(r.base[:1], 0); err != nil {
		t.Fatal(err)
	}
	r.wantRefused(t, end, "digest-mismatch", "digest mismatch", before)
	r.must("stage", file)
}

// TestFullDiskForADelta: a disk without room for what a patch makes is noticed before the first byte.
func TestFullDiskForADelta(t *testing.T) {
	r := newForgedRig(t, fetchRigIn(t, smallDir(t, smallDisk)))
	file := r.good(t)
	before := r.durable(t)
	free := r.fill()
	r.wantRefused(t, r.nx("update", file), "no-space", "", before)
	free()
	r.must("stage", file)
}
