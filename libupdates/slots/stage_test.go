package slots_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

func TestStage(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	wantSlot(t, s, bootctl.A, "")

	content := mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	wantSlot(t, s, bootctl.A, "1.0.0")
	wantSlot(t, s, bootctl.B, "")
	if content.Version != "1.0.0" || len(content.Bundles) != 2 || content.Record().Good {
		t.Errorf("got content %+v", content)
	}

	mustStage(t, s, bootctl.B, archive(t, "1.1.0"))
	wantSlot(t, s, bootctl.A, "1.0.0")
	wantSlot(t, s, bootctl.B, "1.1.0")

	mustStage(t, s, bootctl.B, archive(t, "1.2.0"))
	wantSlot(t, s, bootctl.B, "1.2.0")
	wantSets(t, d, 2) // the set that slot b held before is gone

	if err := s.Empty(bootctl.B); err != nil {
		t.Fatal(err)
	}
	wantSlot(t, s, bootctl.B, "")
	wantSlot(t, s, bootctl.A, "1.0.0")
	wantSets(t, d, 1)
}

// wantSets checks the number of sets on the disk.
func wantSets(t *testing.T, d *durabletest.Disk, want int) {
	t.Helper()
	names, err := d.ReadDir("sets")
	if err != nil || len(names) != want {
		t.Errorf("got sets %q (%v), want %d", names, err, want)
	}
}

func TestSetInBothSlotsIsStoredOnce(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	from := len(d.Ops())
	mustStage(t, s, bootctl.B, archive(t, "1.0.0"))
	wantSlot(t, s, bootctl.A, "1.0.0")
	wantSlot(t, s, bootctl.B, "1.0.0")
	wantSets(t, d, 1)
	for _, op := range d.Ops()[from:] {
		if strings.HasPrefix(op, "write ") || strings.HasPrefix(op, "create ") {
			t.Errorf("a set that was there is written again: %s", op)
		}
	}

	// A set stays as long as one of the slots holds it.
	mustStage(t, s, bootctl.B, archive(t, "1.1.0"))
	wantSlot(t, s, bootctl.A, "1.0.0")
	mustStage(t, s, bootctl.B, archive(t, "1.0.0"))
	if err := s.Empty(bootctl.A); err != nil {
		t.Fatal(err)
	}
	wantSlot(t, s, bootctl.B, "1.0.0")
}

// Space for every payload is reserved before the first payload byte is written, and nothing gets its name before its
// bytes are durable.
func TestOrderOfSteps(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	ops := d.Ops()
	at := func(op string) int {
		t.Helper()
		i := slices.Index(ops, op)
		if i < 0 {
			t.Fatalf("%q never happened in %q", op, ops)
		}
		return i
	}
	set := setOf(t, s, bootctl.A)
	for _, order := range [][]string{
		{"allocate sets/.stage/beta.nxb/payload.elf", "write sets/.stage/alpha.app.nxb/payload.elf"},
		{"write sets/.stage/alpha.app.nxb/payload.elf", "sync sets/.stage/alpha.app.nxb/payload.elf",
			"syncdir sets/.stage/alpha.app.nxb",
			"syncdir sets/.stage", "rename " + set, "syncdir sets", "symlink a.new", "rename a"},
		{"sync sets/.stage/system.nxsindex", "syncdir sets/.stage"},
	} {
		for i := range order[1:] {
			if at(order[i]) > at(order[i+1]) {
				t.Errorf("%q comes after %q", order[i], order[i+1])
			}
		}
	}
	if last := ops[len(ops)-1]; !strings.HasPrefix(last, "read") &&
		slices.Index(ops[at("rename a"):], "syncdir .") < 0 {
		t.Error("the slot's link is not made durable")
	}
}

func setOf(t *testing.T, s *slots.Store, slot bootctl.Slot) string {
	t.Helper()
	content, err := s.Content(slot)
	if err != nil {
		t.Fatal(err)
	}
	return "sets/" + content.Digest.String()
}

func TestRefusedStageChangesNothing(t *testing.T) {
	good := archive(t, "1.1.0")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	stalled, stall := context.WithCancelCause(context.Background())
	stall(refusal.New(refusal.Stalled, "the sender stopped"))
	for _, c := range []struct {
		name   string
		ctx    context.Context
		slot   bootctl.Slot
		raw    []byte
		opt    slots.StageOptions
		reason refusal.Reason
	}{
		{"no slot", nil, bootctl.None, good, slots.StageOptions{}, refusal.SlotMismatch},
		{"unknown slot", nil, 7, good, slots.StageOptions{}, refusal.SlotMismatch},
		{"not admitted", nil, bootctl.B, good,
			slots.StageOptions{Admit: func(*nxs.Head) error { return refusal.New(refusal.Quarantined, "no") }},
			refusal.Quarantined},
		{"cancelled", cancelled, bootctl.B, good, slots.StageOptions{}, refusal.Cancelled},
		{"stalled", stalled, bootctl.B, good, slots.StageOptions{}, refusal.Stalled},
		{"signed by another", nil, bootctl.B, updatestest.Archive(t, updatestest.Key(2), "1.1.0",
			updatestest.Bundle("alpha.app", "1.1.0", nil, nil, updatestest.Key(2))), slots.StageOptions{},
			refusal.InvalidSignature},
		{"payload changed", nil, bootctl.B, bytes.Replace(good, payload("1.1.0"), payload("1.1.1"), 1),
			slots.StageOptions{}, refusal.DigestMismatch},
		{"set that is there, payload changed", nil, bootctl.B,
			bytes.Replace(archive(t, "1.0.0"), payload("1.0.0"), payload("1.0.1"), 1), slots.StageOptions{},
			refusal.DigestMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := durabletest.New()
			s := open(t, d)
			mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
			mustStage(t, s, bootctl.B, archive(t, "0.9.0"))
			before := d.Snapshot()
			if c.ctx == nil {
				c.ctx = context.Background()
			}
			content, err := s.Stage(c.ctx, c.slot, reader(c.raw), c.opt)
			wantReason(t, err, c.reason)
			if content.Version != "" {
				t.Errorf("a refused stage returned %+v", content)
			}
			wantSame(t, d, before)
		})
	}
}

func wantSame(t *testing.T, d *durabletest.Disk, before []string) {
	t.Helper()
	if diff := difference(d.Snapshot(), before); len(diff) > 0 {
		t.Errorf("the disk changed: %q", diff)
	}
}

// If the archive ends early, at any byte, nothing of it is left.
func TestTruncatedArchiveChangesNothing(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.B, archive(t, "0.9.0"))
	before := d.Snapshot()
	raw := archive(t, "1.1.0")
	for n := 0; n < len(raw); n += 97 {
		r := nxs.NewReader(bytes.NewReader(raw[:n]), int64(len(raw)), nxs.DefaultLimits(), verify)
		if _, err := s.Stage(context.Background(), bootctl.B, r, slots.StageOptions{}); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", n, len(raw))
		}
		wantSame(t, d, before)
	}
}

// An archive that is cut off because its sender failed gives the sender's reason.
func TestSendersErrorIsKept(t *testing.T) {
	raw, gone := archive(t, "1.1.0"), refusal.New(refusal.Disconnected, "the sender went away")
	d := durabletest.New()
	s := open(t, d)
	before := d.Snapshot()
	broken := io.MultiReader(bytes.NewReader(raw[:len(raw)/2]), failingReader{gone})
	r := nxs.NewReader(broken, int64(len(raw)), nxs.DefaultLimits(), verify)
	_, err := s.Stage(context.Background(), bootctl.A, r, slots.StageOptions{})
	if !errors.Is(err, gone) {
		t.Errorf("got %v, want the sender's error", err)
	}
	wantSame(t, d, before)
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestCancelBetweenTwoPieces(t *testing.T) {
	key := updatestest.Key(1)
	raw := updatestest.Archive(t, key, "2.0.0", updatestest.Bundle("big", "2.0.0", nil, make([]byte, 1<<20), key))
	d := durabletest.New()
	s := open(t, d)
	before := d.Snapshot()
	ctx, cancel := context.WithCancel(context.Background())
	_, err := s.Stage(ctx, bootctl.A, reader(raw), slots.StageOptions{Progress: func(p slots.Progress) {
		if p.DoneBytes > 512<<10 {
			cancel()
		}
	}})
	wantReason(t, err, refusal.Cancelled)
	wantSame(t, d, before)
}

// A stage that is cancelled before it looks at what is on disk reads no payload of that.
func TestCancelBeforeASetIsReadBack(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	ctx, cancel := context.WithCancel(context.Background())
	before := len(d.Ops())
	_, err := s.Stage(ctx, bootctl.A, reader(archive(t, "1.0.0")),
		slots.StageOptions{Admit: func(*nxs.Head) error { cancel(); return nil }})
	wantReason(t, err, refusal.Cancelled)
	for _, op := range d.Ops()[before:] {
		if strings.HasPrefix(op, "read ") && strings.HasSuffix(op, "/payload.elf") {
			t.Errorf("%s, although the stage was cancelled", op)
		}
	}
}

func TestProgress(t *testing.T) {
	raw := archive(t, "1.0.0")
	for _, way := range []string{"stream", "file"} {
		s := open(t, durabletest.New())
		for _, want := range [][]slots.Phase{{slots.Receiving, slots.Publishing}, {slots.Reused}} {
			var phases []slots.Phase
			var done int64
			opt := slots.StageOptions{Progress: func(p slots.Progress) {
				phases = append(phases, p.Phase)
				if p.DoneBytes < done || p.DoneBytes > int64(len(raw)) {
					t.Errorf("%s: done went from %d to %d of %d bytes", way, done, p.DoneBytes, len(raw))
				}
				if done = p.DoneBytes; p.Phase == slots.Publishing && done < int64(len(raw)) {
					t.Errorf("%s: publishing after %d of %d bytes", way, done, len(raw))
				}
			}}
			var err error
			if way == "stream" {
				_, err = s.Stage(context.Background(), bootctl.A, reader(raw), opt)
			} else {
				_, err = s.StageFile(context.Background(), bootctl.A, bytes.NewReader(raw), int64(len(raw)),
					nxs.DefaultLimits(), verify, opt)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Compact(phases); !slices.Equal(got, want) || done != int64(len(raw)) {
				t.Errorf("%s: got phases %v and %d bytes, want %v and %d", way, got, done, want, len(raw))
			}
		}
	}
}

// Sets whose payloads fill whole pieces, or are all empty, are received like others: every piece of memory is returned.
func TestPayloadsOfWholePieces(t *testing.T) {
	key := updatestest.Key(1)
	for _, size := range []int{0, 1, 4096, 1 << 20} {
		var bundles []updatestest.Made
		for _, name := range strings.Split("abcdefgh", "") {
			bundles = append(bundles, updatestest.Bundle(name, "1.0.0", nil, bytes.Repeat([]byte(name), size), key))
		}
		raw := updatestest.Archive(t, key, "1.0.0", bundles...)
		for _, way := range ways {
			s := open(t, durabletest.New())
			if _, err := way.stage(s, bootctl.A, raw); err != nil {
				t.Fatal(err)
			}
			wantSlot(t, s, bootctl.A, "1.0.0")
		}
	}
}

// A stream that arrives in small pieces is received like any other.
func TestTricklingStream(t *testing.T) {
	raw := archive(t, "1.1.0")
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	r := nxs.NewReader(iotest.OneByteReader(bytes.NewReader(raw)), int64(len(raw)), nxs.DefaultLimits(), verify)
	if _, err := s.Stage(context.Background(), bootctl.B, r, slots.StageOptions{}); err != nil {
		t.Fatal(err)
	}
	wantSlot(t, s, bootctl.B, "1.1.0")
}

// A bundle that the owner does not admit ends the stage at its manifest, whether the set is new, comes as a file, or is
// on disk already.
func TestABundleThatIsNotAdmitted(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	for _, version := range []string{"1.0.0", "1.1.0"} {
		for i, way := range []func([]byte, slots.StageOptions) error{
			func(raw []byte, opt slots.StageOptions) error {
				_, err := s.Stage(t.Context(), bootctl.B, reader(raw), opt)
				return err
			},
			func(raw []byte, opt slots.StageOptions) error {
				_, err := s.StageFile(t.Context(), bootctl.B, bytes.NewReader(raw), int64(len(raw)),
					nxs.DefaultLimits(), verify, opt)
				return err
			},
		} {
			var asked []string
			err := way(archive(t, version), slots.StageOptions{AdmitBundle: func(x nxs.Index, m nxb.Manifest) error {
				asked = append(asked, x.SystemVersion+" "+m.Name)
				if m.Name == "beta" {
					return refusal.New(refusal.SDKTooOld, "no")
				}
				return nil
			}})
			wantReason(t, err, refusal.SDKTooOld)
			if want := []string{version + " alpha.app", version + " beta"}; !slices.Equal(asked, want) {
				t.Errorf("%s, way %d: asked about %v, want %v", version, i, asked, want)
			}
			wantSlot(t, s, bootctl.A, "1.0.0")
			wantSlot(t, s, bootctl.B, "")
			wantSets(t, d, 1)
		}
	}
}
