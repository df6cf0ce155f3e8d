package slots_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

// all of an archive comes, whatever its size.
const all = 1 << 30

// block is the unit in which an interrupted stage keeps what it has received.
const block = 256 << 10

// long is a set with one payload of some blocks, and the payload.
func long(t testing.TB) (raw, payload []byte) {
	payload = bytes.Repeat([]byte("a long payload. "), 3*block/16+5)
	key := updatestest.Key(1)
	return updatestest.Archive(t, key, "2.0.0", updatestest.Bundle("long", "2.0.0", nil, payload, key)), payload
}

// A broken archive ends the stage after so many bytes, as a sender does that goes away.
type broken struct {
	io.Reader
	left int
	end  context.CancelCauseFunc
}

// errAway is why it ends.
var errAway = refusal.New(refusal.Cancelled, "the sender went away")

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		b.end(errAway)
		return 0, errAway
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// resume stages a set that may be resumed, of which so many bytes come, and returns how much of the payload was there.
func resume(t testing.TB, s *slots.Store, raw, payload []byte, comes int) (had []byte, err error) {
	t.Helper()
	_, err = receive(t.Context(), s, raw, comes, func(here slots.Here) { had = contentOf(t, here, payload) })
	return had, err
}

// receive stages a set that may be resumed, of which so many bytes come.
func receive(ctx context.Context, s *slots.Store, raw []byte, comes int,
	begun func(slots.Here)) (slots.Content, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	from := &broken{bytes.NewReader(raw), comes, cancel}
	r := nxs.NewReader(from, int64(len(raw)), nxs.DefaultLimits(), verify)
	return s.Stage(ctx, bootctl.B, r, slots.StageOptions{Resume: true, Begun: begun})
}

// contentOf returns what there is of a payload.
func contentOf(t testing.TB, here slots.Here, payload []byte) []byte {
	t.Helper()
	from, size, err := here.Have(nxs.Sum(payload))
	if err != nil {
		t.Fatal(err)
	}
	if from == nil { // all of it, or nothing
		return payload[:size]
	}
	defer from.Close()
	got, err := io.ReadAll(io.LimitReader(from, size))
	if err != nil || int64(len(got)) != size {
		t.Fatalf("%d bytes are there, of which %d can be read: %v", size, len(got), err)
	}
	return got
}

// TestAnInterruptedStageIsResumed ends a stage again and again, and each time the next has the whole blocks that came.
func TestAnInterruptedStageIsResumed(t *testing.T) {
	raw, payload := long(t)
	disk := diskHolding(t, durabletest.New(), "")
	head := bytes.Index(raw, payload)
	for _, c := range []struct{ comes, has int }{
		{head - 1, 0}, {head, 0}, {head + block, 0}, {head + block + 1, 0}, {head + 2*block + 1, block},
		{head + 9, 2 * block}, {head + len(payload) - 1, 2 * block}, {head + len(payload) + 9, 3 * block},
		{all, len(payload)},
	} {
		s := open(t, disk)
		had, err := resume(t, s, raw, payload, c.comes)
		if c.comes >= head && !bytes.Equal(had, payload[:c.has]) {
			t.Errorf("before %d bytes came there were %d, want %d", c.comes-head, len(had), c.has)
		}
		if c.comes == all {
			if err != nil {
				t.Fatal(err)
			}
			wantSlot(t, s, bootctl.B, "2.0.0")
			continue
		}
		wantReason(t, err, refusal.Cancelled)
		wantSlot(t, s, bootctl.A, "1.0.0")
		wantSlot(t, s, bootctl.B, "")
	}
	if s := open(t, disk); s.HasKept() {
		t.Error("something is kept of a stage that is over")
	}
}

// TestWhatIsKeptIsDropped lets nothing be resumed but a stage of the same set, and only by one that says so.
func TestWhatIsKeptIsDropped(t *testing.T) {
	raw, payload := long(t)
	head := bytes.Index(raw, payload)
	for name, do := range map[string]func(*slots.Store) error{
		"another set": func(s *slots.Store) error {
			_, err := resume(t, s, archive(t, "1.1.0"), nil, 1<<20)
			return err
		},
		"no resume": func(s *slots.Store) error { _, err := stage(s, bootctl.B, raw); return err },
		"a file":    func(s *slots.Store) error { _, err := stageFile(s, bootctl.B, raw); return err },
		"what is there": func(s *slots.Store) error {
			_, err := stage(s, bootctl.B, archive(t, "1.0.0"))
			return err
		},
		"nobody wants it":  func(s *slots.Store) error { return s.Forget() },
		"another's damage": func(s *slots.Store) error { return wantRefused(t, s, damaged(raw, head+5)) },
		"resumed and broken": func(s *slots.Store) error {
			return wantResumeRefused(t, s, damaged(raw, head+5), payload)
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := diskHolding(t, durabletest.New(), "")
			s := open(t, disk)
			if _, err := resume(t, s, raw, payload, head+2*block+1); refusal.Of(err) != refusal.Cancelled {
				t.Fatal(err)
			}
			if s = open(t, disk); !s.HasKept() {
				t.Fatal("nothing is kept")
			}
			if err := do(s); err != nil {
				t.Fatal(err)
			}
			if s.HasKept() {
				t.Error("it is kept")
			}
			wantSlot(t, s, bootctl.A, "1.0.0")
		})
	}
}

func damaged(raw []byte, at int) []byte {
	raw = bytes.Clone(raw)
	raw[at]++
	return raw
}

func wantRefused(t *testing.T, s *slots.Store, raw []byte) error {
	_, err := stage(s, bootctl.B, raw)
	wantReason(t, err, refusal.DigestMismatch)
	return nil
}

func wantResumeRefused(t *testing.T, s *slots.Store, raw, payload []byte) error {
	_, err := resume(t, s, raw, payload, all)
	wantReason(t, err, refusal.DigestMismatch)
	return nil
}

// TestWhatIsKeptIsVerified damages what an interrupted stage has kept. A stage that takes it from there is refused, and
// nothing is kept; one whose sender sends everything writes over it.
func TestWhatIsKeptIsVerified(t *testing.T) {
	raw, payload := long(t)
	head := bytes.Index(raw, payload)
	for name, c := range map[string]struct {
		comes int
		file  string
	}{
		"a part":  {head + 2*block + 1, "sets/.kept/long.nxb/payload.elf.part"},
		"a whole": {head + len(payload) + 9, "sets/.kept/long.nxb/payload.elf"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := diskHolding(t, durabletest.New(), "")
			if _, err := resume(t, open(t, disk), raw, payload, c.comes); refusal.Of(err) != refusal.Cancelled {
				t.Fatal(err)
			}
			rot(t, disk, c.file)
			had, err := resume(t, open(t, disk), raw, payload, all)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(had, payload[:len(had)]) && len(had) > 0 {
				t.Error("what is kept is not damaged")
			}
			wantSlot(t, open(t, disk), bootctl.B, "2.0.0")
		})
	}
}

// TestAFileIsNotResumed stages a set that is there as a file, with Resume: its payloads come in any order.
func TestAFileIsNotResumed(t *testing.T) {
	raw, _ := long(t)
	s := open(t, diskHolding(t, durabletest.New(), ""))
	if _, err := s.StageFile(t.Context(), bootctl.B, bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), verify,
		slots.StageOptions{Resume: true}); err != nil {
		t.Fatal(err)
	}
	wantSlot(t, s, bootctl.B, "2.0.0")
}

// rot changes the first byte of a file.
func rot(t *testing.T, fsys durable.FS, name string) {
	t.Helper()
	f, err := fsys.Reopen(name)
	if err == nil {
		_, err = f.Write([]byte{'?'})
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAPowerCutKeepsWholeBlocks cuts the power at each operation of a stage that may be resumed, and resumes it on
// every disk that may be found then: what is taken from the disk is right, and no more is lost than a block.
func TestAPowerCutKeepsWholeBlocks(t *testing.T) {
	raw, payload := long(t)
	head := bytes.Index(raw, payload)
	comes := head + 2*block + block/2
	clean := diskHolding(t, durabletest.New(), "")
	whole := clean.Clone()
	if _, err := receive(t.Context(), open(t, whole), raw, comes, nil); refusal.Of(err) != refusal.Cancelled {
		t.Fatal(err)
	}
	kept := false
	for cut := range updatestest.Sweep(len(whole.Ops())) {
		disk := clean.Clone()
		disk.CutAfter(cut)
		if s, err := slots.Open(disk); err == nil {
			_, _ = receive(t.Context(), s, raw, comes, nil)
		}
		for name, found := range disk.States(12, uint64(cut)) {
			s := open(t, found)
			had, err := resume(t, s, raw, payload, all)
			if err != nil {
				t.Fatalf("cut %d, %s: %v", cut, name, err)
			}
			if !bytes.Equal(had, payload[:len(had)]) || len(had)%block != 0 {
				t.Fatalf("cut %d, %s: what is kept is not what came", cut, name)
			}
			kept = kept || len(had) > 0
			wantSlot(t, s, bootctl.B, "2.0.0")
		}
	}
	if !kept {
		t.Error("nothing was ever kept")
	}
}
