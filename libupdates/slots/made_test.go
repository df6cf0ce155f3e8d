package slots_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"syscall"
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

// A delta makes the set that the whole archive would have brought, whichever slot has the base, and also if the device
// has the result, or the whole set.
func TestDeltaMakesTheSet(t *testing.T) {
	for _, c := range []struct{ name, a, b, from string }{
		{"base in the other slot", "1.0.0", "0.9.0", "1.0.0"},
		{"base in the same slot", "1.0.0", "0.9.0", "0.9.0"},
		{"result in place, no base", "1.0.0", "1.1.0", "0.1.0"},
	} {
		for _, way := range ways {
			t.Run(c.name+", "+way.name, func(t *testing.T) {
				d := durabletest.New()
				s := open(t, d)
				mustStage(t, s, bootctl.A, archive(t, c.a))
				mustStage(t, s, bootctl.B, archive(t, c.b))
				if _, err := way.stage(s, bootctl.B, delta(t, c.from, "1.1.0")); err != nil {
					t.Fatal(err)
				}
				wantSlot(t, s, bootctl.B, "1.1.0")
				clean := durabletest.New()
				whole := open(t, clean)
				mustStage(t, whole, bootctl.A, archive(t, c.a))
				mustStage(t, whole, bootctl.B, archive(t, "1.1.0"))
				wantSame(t, d, clean.Snapshot())
			})
		}
	}
}

// A delta whose base is missing or damaged is refused by the digest of what is missing, before anything is written.
func TestDeltaWithoutItsBase(t *testing.T) {
	for _, c := range []struct {
		name, from string
		harm       func(*durabletest.Disk)
		missing    []byte
	}{
		{"never had it", "0.8.0", func(*durabletest.Disk) {}, payload("0.8.0")},
		{"base changed", "1.0.0", func(d *durabletest.Disk) { damage(t, d, "alpha.app.nxb/payload.elf", flip) },
			payload("1.0.0")},
		{"base cut", "1.0.0", func(d *durabletest.Disk) { damage(t, d, "alpha.app.nxb/payload.elf", cut) },
			payload("1.0.0")},
		{"held payload changed", "1.0.0", func(d *durabletest.Disk) { damage(t, d, shared, flip) }, []byte(data)},
	} {
		for _, way := range ways {
			t.Run(c.name+", "+way.name, func(t *testing.T) {
				d := durabletest.New()
				s := open(t, d)
				mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
				c.harm(d)
				before, from := d.Snapshot(), len(d.Ops())
				_, err := way.stage(s, bootctl.B, delta(t, c.from, "1.1.0"))
				wantReason(t, err, refusal.MissingBase)
				if !strings.Contains(err.Error(), nxs.Sum(c.missing).String()) {
					t.Errorf("%v does not name %s", err, nxs.Sum(c.missing))
				}
				wantSame(t, d, before)
				for _, op := range d.Ops()[from:] {
					if strings.HasPrefix(op, "create ") || strings.HasPrefix(op, "mkdir ") {
						t.Errorf("%q before the refusal", op)
					}
				}
			})
		}
	}
}

// Where the same payload is damaged in one slot and intact in the other, the intact one is the base.
func TestDeltaTakesTheIntactBase(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	damage(t, d, shared, flip)
	mustStage(t, s, bootctl.B, archive(t, "0.9.0")) // has the shared payload anew
	if _, err := stage(s, bootctl.B, delta(t, "1.0.0", "1.1.0")); err != nil {
		t.Fatal(err)
	}
	wantSlot(t, s, bootctl.B, "1.1.0")
}

// A base that changes after it was verified, or a patch that somebody applies wrongly, makes another payload than the
// signed one: that is refused, and nothing is left of it.
func TestDeltaMakesSomethingElse(t *testing.T) {
	other := func(deltas.Patch, io.ReaderAt) string { return strings.Repeat("x", len(payload("1.1.0"))) }
	for name, c := range map[string]struct {
		apply nxs.PatchFunc
		want  refusal.Reason
	}{
		"another payload": {func(p deltas.Patch, w io.Writer, old io.ReaderAt, patch io.Reader, _ int64) error {
			io.Copy(io.Discard, patch)
			_, err := io.WriteString(w, other(p, old))
			return err
		}, refusal.DigestMismatch},
		"too little": {func(p deltas.Patch, w io.Writer, old io.ReaderAt, patch io.Reader, _ int64) error {
			io.Copy(io.Discard, patch)
			_, err := io.WriteString(w, other(p, old)[1:])
			return err
		}, refusal.SizeMismatch},
		"too much": {func(p deltas.Patch, w io.Writer, old io.ReaderAt, patch io.Reader, _ int64) error {
			io.Copy(io.Discard, patch)
			for err := error(nil); ; {
				if _, err = io.WriteString(w, other(p, old)); err != nil {
					return err
				}
			}
		}, refusal.SizeMismatch},
		"base changed meanwhile": {func(p deltas.Patch, w io.Writer, _ io.ReaderAt, patch io.Reader, at int64) error {
			return p.Apply(w, bytes.NewReader(bytes.ToUpper(payload("1.0.0"))), patch, at)
		}, refusal.DigestMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			d := durabletest.New()
			s := open(t, d)
			mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
			before := d.Snapshot()
			_, err := s.Stage(context.Background(), bootctl.B, reader(delta(t, "1.0.0", "1.1.0")),
				slots.StageOptions{Patch: c.apply})
			wantReason(t, err, c.want)
			wantSame(t, d, before)
		})
	}
}

// Without hard links what the device has is copied.
func TestDeltaWithoutLinks(t *testing.T) {
	d := durabletest.New()
	s := open(t, noLinks{d})
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	if _, err := stage(s, bootctl.B, delta(t, "1.0.0", "1.1.0")); err != nil {
		t.Fatal(err)
	}
	wantSlot(t, s, bootctl.B, "1.1.0")
}

// noLinks is a file system without hard links.
type noLinks struct{ durable.FS }

func (noLinks) Link(_, _ string) error { return syscall.EPERM }

// A delta that is cut anywhere changes nothing.
func TestCutDeltaChangesNothing(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	before := d.Snapshot()
	raw := delta(t, "1.0.0", "1.1.0")
	for n := 0; n < len(raw); n += 41 {
		r := nxs.NewReader(bytes.NewReader(raw[:n]), int64(len(raw)), nxs.DefaultLimits(), verify)
		if _, err := s.Stage(context.Background(), bootctl.B, r, slots.StageOptions{}); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", n, len(raw))
		}
		wantSame(t, d, before)
	}
}

// A base is known by size and digest alone: it may be the payload of another bundle, and one that the delta says has
// another size is not it.
func TestDeltaOnAnotherBundle(t *testing.T) {
	key := updatestest.Key(1)
	as := func(sum, content []byte) []byte {
		base := updatestest.Bundle("alpha.app", "1.0.0", nil, content, key)
		base.Entry.PayloadSHA256 = nxs.Sum(sum)
		return updatestest.Delta(t, key, "1.1.0", []updatestest.Made{base, bundles("1.0.0")[1]}, bundles("1.1.0"))
	}
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	before := d.Snapshot()
	_, err := stage(s, bootctl.B, as([]byte(data), []byte(data+" and more")))
	wantReason(t, err, refusal.MissingBase)
	wantSame(t, d, before)
	if _, err := stage(s, bootctl.B, as([]byte(data), []byte(data))); err != nil {
		t.Fatal(err)
	}
	wantSlot(t, s, bootctl.B, "1.1.0")
}
