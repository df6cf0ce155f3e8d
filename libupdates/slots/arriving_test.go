package slots_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"nexus/libupdates/bootctl"
	deltas "nexus/libupdates/delta"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

// A patchedSet is a set, and a delta of which one patch has some blocks.
type patchedSet struct {
	old, raw         []byte // archives
	payload          []byte
	index, signature []byte // of the delta
	patch            []byte
}

func newPatchedSet(t testing.TB) patchedSet {
	t.Helper()
	key := updatestest.Key(1)
	news := make([]byte, 2*block+block/2)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(news)
	common := bytes.Repeat([]byte("what both versions have. "), 1<<14)
	made := func(version string, payload []byte) []updatestest.Made {
		return []updatestest.Made{updatestest.Bundle("long", version, nil, payload, key)}
	}
	p := patchedSet{payload: append(news, common...)}
	before, after := made("1.0.0", common), made("2.0.0", p.payload)
	p.old, p.raw = updatestest.Archive(t, key, "1.0.0", before...), updatestest.Archive(t, key, "2.0.0", after...)
	raw := updatestest.Delta(t, key, "2.0.0", before, after)
	d := nxs.NewDeltaReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), verify)
	head, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	p.index, p.signature = head.RawDelta, head.DeltaSignature
	b, err := d.Next()
	if err != nil || b.Way != nxs.Patch || b.PatchSize < 2*block {
		t.Fatalf("the delta has no long patch: %v", err)
	}
	p.patch = raw[b.Offset:][:b.PatchSize]
	return p
}

// A patching is a sender of such a set. Where the payload is due, it sends the patch.
type patching struct {
	patchedSet
	comes int // so many bytes of the patch come, then the sender goes away
	apply nxs.PatchFunc

	reused, had int64 // bytes that were here, of the payload and of the patch
	refused     error // by Expect: the content is sent
}

// on is a disk that holds the old set.
func (p patchedSet) on(t testing.TB) *durabletest.Disk {
	t.Helper()
	d := durabletest.New()
	mustStage(t, open(t, d), bootctl.A, p.old)
	return d
}

// stage stages the set.
func (p *patching) stage(ctx context.Context, s *slots.Store, resume bool) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	head, tail, _ := bytes.Cut(p.raw, p.payload)
	due := &due{}
	from := io.MultiReader(bytes.NewReader(head), due, bytes.NewReader(tail))
	_, err := s.Stage(ctx, bootctl.B, nxs.NewReader(from, int64(len(p.raw)), nxs.DefaultLimits(), verify),
		slots.StageOptions{Resume: resume, Patch: p.apply, Begun: func(here slots.Here) {
			due.begin = func() (io.Reader, error) { return p.content(here, end) }
		}})
	return err
}

// content is the payload: what is here of it, and then what the patch makes.
func (p *patching) content(here slots.Here, end context.CancelCauseFunc) (io.Reader, error) {
	var made bytes.Buffer
	from, size, err := here.Have(nxs.Sum(p.payload))
	if err != nil {
		return nil, err
	}
	if from != nil {
		defer from.Close()
		p.reused, _ = io.Copy(&made, io.LimitReader(from, size))
	}
	if from == nil && size == int64(len(p.payload)) {
		p.reused = size
		return updatestest.Held(p.payload), nil
	}
	a, err := here.Expect(p.index, p.signature, nxs.Sum(p.payload))
	if p.refused = err; err != nil {
		return io.MultiReader(&made, bytes.NewReader(p.payload[p.reused:])), nil
	}
	defer a.Close()
	p.had = a.Had
	if _, err := a.Write(p.patch[p.had:max(p.had, min(int64(p.comes), int64(len(p.patch))))]); err != nil {
		return nil, err
	}
	if a.Left() > 0 {
		end(errAway)
		return nil, errAway
	}
	return &made, a.Make(&made, p.reused)
}

// A due reader begins when it is its turn.
type due struct {
	begin func() (io.Reader, error)
	io.Reader
}

func (d *due) Read(b []byte) (int, error) {
	if d.Reader == nil {
		var err error
		if d.Reader, err = d.begin(); err != nil {
			return 0, err
		}
	}
	return d.Reader.Read(b)
}

// What a patch makes in place of a payload is the set that the whole archive would have brought, and nothing is left of
// the patch, whether the stage may be resumed or not.
func TestAPatchInPlaceOfAPayload(t *testing.T) {
	set := newPatchedSet(t)
	whole := set.on(t)
	mustStage(t, open(t, whole), bootctl.B, set.raw)
	for _, resume := range []bool{false, true} {
		d := set.on(t)
		p := &patching{patchedSet: set, comes: all}
		if err := p.stage(t.Context(), open(t, d), resume); err != nil || p.refused != nil {
			t.Fatalf("resume %v: %v, %v", resume, err, p.refused)
		}
		wantSame(t, d, whole.Snapshot())
	}
}

// TestAPatchIsResumed ends a stage again and again in the middle of a patch, and each time the next has the whole
// blocks that came. In the end nothing but the set is on the disk.
func TestAPatchIsResumed(t *testing.T) {
	set := newPatchedSet(t)
	whole := set.on(t)
	mustStage(t, open(t, whole), bootctl.B, set.raw)
	d := set.on(t)
	for _, c := range []struct{ comes, had int }{{0, 0}, {block, 0}, {block + 1, 0}, {9, block}, {2*block + 1, block},
		{len(set.patch) - 1, 2 * block}, {all, 2 * block}} {
		p := &patching{patchedSet: set, comes: c.comes}
		err := p.stage(t.Context(), open(t, d), true)
		if p.had != int64(c.had) || p.refused != nil {
			t.Errorf("before %d bytes came there were %d, want %d: %v", c.comes, p.had, c.had, p.refused)
		}
		if c.comes != all {
			wantReason(t, err, refusal.Cancelled)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	wantSame(t, d, whole.Snapshot())
}

// TestAPowerCutInAPatch cuts the power at each operation of a stage with a patch. On every disk that may be found then,
// the next stage makes the set, and takes nothing from the disk that did not come.
func TestAPowerCutInAPatch(t *testing.T) {
	set := newPatchedSet(t)
	clean, whole := set.on(t), set.on(t)
	if err := (&patching{patchedSet: set, comes: all}).stage(t.Context(), open(t, whole), true); err != nil {
		t.Fatal(err)
	}
	var patch, payload bool
	for cut := range updatestest.Sweep(len(whole.Ops()) - len(clean.Ops())) {
		disk := clean.Clone()
		disk.CutAfter(cut)
		if s, err := slots.Open(disk); err == nil {
			_ = (&patching{patchedSet: set, comes: all}).stage(t.Context(), s, true)
		}
		for name, found := range disk.States(3, uint64(cut)) {
			p := &patching{patchedSet: set, comes: all}
			if err := p.stage(t.Context(), open(t, found), true); err != nil || p.refused != nil {
				t.Fatalf("cut %d, %s: %v, %v", cut, name, err, p.refused)
			}
			patch, payload = patch || p.had > 0, payload || p.reused > 0 && p.reused < int64(len(p.payload))
			wantSlot(t, open(t, found), bootctl.B, "2.0.0")
		}
	}
	if !patch || !payload {
		t.Errorf("kept was a patch: %v, the beginning of a payload: %v", patch, payload)
	}
}

// What cannot be patched is refused without effect, and comes whole.
func TestAPatchIsRefusedWithoutEffect(t *testing.T) {
	set := newPatchedSet(t)
	for name, c := range map[string]struct {
		change func(*patching, *durabletest.Disk)
		want   refusal.Reason
	}{
		"the base is damaged": {func(_ *patching, d *durabletest.Disk) { damage(t, d, "long.nxb/payload.elf", flip) },
			refusal.MissingBase},
		"the base is cut": {func(_ *patching, d *durabletest.Disk) { damage(t, d, "long.nxb/payload.elf", cut) },
			refusal.MissingBase},
		"another signature": {func(p *patching, _ *durabletest.Disk) { p.signature = damaged(p.signature, 1) },
			refusal.InvalidSignature},
		"another index": {func(p *patching, _ *durabletest.Disk) { p.index = damaged(p.index, len(p.index)/2) },
			refusal.InvalidSignature},
		"no index": {func(p *patching, _ *durabletest.Disk) { p.index, p.signature = nil, nil },
			refusal.InvalidSignature},
	} {
		t.Run(name, func(t *testing.T) {
			d := set.on(t)
			p := &patching{patchedSet: set, comes: all}
			c.change(p, d)
			if err := p.stage(t.Context(), open(t, d), true); err != nil {
				t.Fatal(err)
			}
			wantReason(t, p.refused, c.want)
			wantSlot(t, open(t, d), bootctl.B, "2.0.0")
		})
	}
}

// A full disk refuses the patch, not the payload, whose space is reserved.
func TestADiskThatIsFullForAPatch(t *testing.T) {
	set := newPatchedSet(t)
	d := set.on(t)
	p := &patching{patchedSet: set, comes: all}
	if err := p.stage(t.Context(), open(t, crowded{d}), true); err != nil {
		t.Fatal(err)
	}
	wantReason(t, p.refused, refusal.NoSpace)
	wantSlot(t, open(t, d), bootctl.B, "2.0.0")
}

// crowded is a disk without space for patches.
type crowded struct{ durable.FS }

func (c crowded) Mkdir(name string) error {
	if strings.HasSuffix(name, "/patches") {
		return refusal.New(refusal.NoSpace, "no space for %s", name)
	}
	return c.FS.Mkdir(name)
}

// A patch that does not make the signed payload ends the stage, and nothing is kept: neither of one that was damaged on
// its way, nor of one that is applied wrongly, nor of one whose base changes while it is read.
func TestAPatchThatMakesSomethingElse(t *testing.T) {
	set := newPatchedSet(t)
	writes := func(size int) nxs.PatchFunc {
		return func(_ deltas.Patch, w io.Writer, _ io.ReaderAt, _ io.Reader, _ int64) error {
			_, err := w.Write(make([]byte, size))
			return err
		}
	}
	for name, c := range map[string]struct {
		apply nxs.PatchFunc
		harm  func(*patching)
		want  refusal.Reason
	}{
		"other bytes": {writes(len(set.payload)), nil, refusal.DigestMismatch},
		"too few":     {writes(len(set.payload) - 1), nil, refusal.SizeMismatch},
		"without end": {func(_ deltas.Patch, w io.Writer, _ io.ReaderAt, _ io.Reader, _ int64) (err error) {
			for err == nil {
				_, err = w.Write(make([]byte, 1<<16))
			}
			return err
		}, nil, refusal.SizeMismatch},
		"a base that changes": {func(p deltas.Patch, w io.Writer, old io.ReaderAt, patch io.Reader, at int64) error {
			return p.Apply(w, bytes.NewReader(make([]byte, p.OldSize)), patch, at)
		}, nil, refusal.DigestMismatch},
		"a base that is cut": {func(p deltas.Patch, w io.Writer, old io.ReaderAt, patch io.Reader, at int64) error {
			return p.Apply(w, bytes.NewReader(nil), patch, at)
		}, nil, refusal.MissingBase},
		"a damaged patch": {nil, func(p *patching) { p.patch = damaged(p.patch, 5) }, refusal.DigestMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			d := set.on(t)
			before := d.Snapshot()
			p := &patching{patchedSet: set, comes: all, apply: c.apply}
			if c.harm != nil {
				c.harm(p)
			}
			err := p.stage(t.Context(), open(t, d), true)
			wantReason(t, err, c.want)
			wantSame(t, d, before)
		})
	}
}

// What is kept of a patch and was damaged on the disk ends the stage, and is not kept any more.
func TestAKeptPatchIsVerified(t *testing.T) {
	set := newPatchedSet(t)
	d := set.on(t)
	before := d.Snapshot()
	cut := &patching{patchedSet: set, comes: 2*block + 1}
	wantReason(t, cut.stage(t.Context(), open(t, d), true), refusal.Cancelled)
	names, err := d.ReadDir("sets/.kept/patches")
	if err != nil || len(names) != 1 {
		t.Fatalf("kept are %v: %v", names, err)
	}
	rot(t, d, "sets/.kept/patches/"+names[0])
	p := &patching{patchedSet: set, comes: all}
	wantReason(t, p.stage(t.Context(), open(t, d), true), refusal.DigestMismatch)
	if p.had != 2*block {
		t.Errorf("%d bytes were kept, want %d", p.had, 2*block)
	}
	wantSame(t, d, before)
}
