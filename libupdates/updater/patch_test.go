package updater_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"nexus/libupdates/delta"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updater"
	"nexus/libupdates/updatestest"
)

// An update is a set with one payload, and a delta that has a patch for it.
type update struct {
	old, head, tail           []byte // the archive of the old set; that of the new one, around the payload
	payload                   []byte
	index, signature, patched []byte // of the delta
}

func newUpdate(t *testing.T) update {
	t.Helper()
	key := updatestest.Key(1)
	old := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(old)
	fresh := append([]byte("the news"), old...)
	before := []updatestest.Made{updatestest.Bundle("notes", "1.0.0", nil, old, key)}
	after := []updatestest.Made{updatestest.Bundle("notes", "1.1.0", nil, fresh, key)}
	u := update{old: updatestest.Archive(t, key, "1.0.0", before...), payload: fresh}
	u.head, u.tail, _ = bytes.Cut(updatestest.Archive(t, key, "1.1.0", after...), fresh)
	raw := updatestest.Delta(t, key, "1.1.0", before, after)
	d := nxs.NewDeltaReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), signedBy(key))
	head, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	u.index, u.signature, u.patched = head.RawDelta, head.DeltaSignature, raw[b.Offset:][:b.PatchSize]
	return u
}

// signedBy accepts signatures of one key.
func signedBy(key trust.Signer) nxs.VerifyFunc {
	return func(message, signature []byte) (trust.PublicKey, error) {
		if !key.Public().Signed(message, signature) {
			return trust.PublicKey{}, refusal.New(refusal.InvalidSignature, "invalid signature")
		}
		return key.Public(), nil
	}
}

// An applier applies patches, or fails.
type applier struct{ err error }

func (a *applier) apply(_ context.Context, p delta.Patch, w io.Writer, old io.ReaderAt, in io.Reader, at int64) error {
	if a.err != nil {
		return a.err
	}
	return p.Apply(w, old, in, at)
}

// begin begins a stage of the update that may be resumed, up to the payload.
func (u update) begin(t *testing.T, engine *updater.Engine) *updater.Stage {
	t.Helper()
	stage, err := engine.Staging.Stage(t.Context(), updater.Request{Life: t.Context(), Resume: true, Operator: true,
		Size: uint64(len(u.head) + len(u.payload) + len(u.tail))})
	if err == nil {
		err = stage.Write(u.head)
	}
	if err != nil {
		t.Fatal(err)
	}
	return stage
}

func (u update) ask(t *testing.T, stage *updater.Stage) (had int64, err error) {
	t.Helper()
	sum := nxs.Sum(u.payload)
	if size, err := stage.Reuse(t.Context(), sum); err != nil || size != 0 {
		t.Fatalf("%d bytes were reused: %v", size, err)
	}
	return stage.Patch(t.Context(), u.index, u.signature, sum)
}

// patchDevice is a device with the old set, whose patches an applier applies.
func patchDevice(t *testing.T, u update) (*updater.Engine, *applier) {
	t.Helper()
	cfg, by := device(), &applier{}
	cfg.Patch = by.apply
	engine, err := updater.Open(cfg)
	if err == nil {
		err = stageAll(t, engine, u.old)
	}
	if err != nil {
		t.Fatal(err)
	}
	return engine, by
}

// A sender may send a patch in place of a payload, in any pieces, and asks for nothing else before it has come.
func TestAPatchComesInPlaceOfAPayload(t *testing.T) {
	u := newUpdate(t)
	for _, piece := range []int{7, len(u.patched), 1 << 20} {
		engine, _ := patchDevice(t, u)
		stage := u.begin(t, engine)
		if had, err := u.ask(t, stage); had != 0 || err != nil {
			t.Fatalf("%d bytes are here: %v", had, err)
		}
		if _, err := stage.Reuse(t.Context(), nxs.Sum(u.payload)); err == nil {
			t.Error("something is reused in the middle of a patch")
		}
		if _, err := stage.Patch(t.Context(), u.index, u.signature, nxs.Sum(u.payload)); err == nil {
			t.Error("a patch in the middle of a patch")
		}
		if err := stage.TakeStream(io.NopCloser(bytes.NewReader(u.payload)), 1); err == nil {
			t.Error("a stream in the middle of a patch")
		}
		for rest := bytes.Join([][]byte{u.patched, u.tail}, nil); len(rest) > 0; {
			n := min(piece, len(rest))
			if err := stage.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if _, _, err := stage.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// After a refusal the sender sends the content.
func TestAPatchThatIsRefused(t *testing.T) {
	u := newUpdate(t)
	engine, _ := patchDevice(t, u)
	stage := u.begin(t, engine)
	wrong := u
	wrong.signature = make([]byte, len(u.signature))
	if _, err := wrong.ask(t, stage); refusal.Of(err) != refusal.InvalidSignature {
		t.Errorf("got %v, want %s", err, refusal.InvalidSignature)
	}
	if _, err := stage.Patch(t.Context(), u.index, u.signature, nxs.Digest{}); refusal.Of(err) != refusal.MissingBase {
		t.Errorf("a payload of which there is no patch: %v, want %s", err, refusal.MissingBase)
	}
	for _, part := range [][]byte{u.payload, u.tail} {
		if err := stage.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := stage.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A stage ends with its patch: one that nobody applies can be taken up, and one that is at fault is gone.
func TestAPatchThatFailsEndsTheStage(t *testing.T) {
	u := newUpdate(t)
	for _, c := range []struct {
		err  error
		kept bool
	}{
		{refusal.New(refusal.Disconnected, "patchd ended"), true},
		{refusal.New(refusal.BadPatch, "it makes no sense"), false},
	} {
		engine, by := patchDevice(t, u)
		by.err = c.err
		stage := u.begin(t, engine)
		if _, err := u.ask(t, stage); err != nil {
			t.Fatal(err)
		}
		if err := stage.Write(u.patched); err == nil {
			t.Error("a patch was applied that cannot be")
		}
		if _, _, err := stage.Finish(t.Context()); refusal.Of(err) != refusal.Of(c.err) {
			t.Errorf("got %v, want %v", err, c.err)
		}
		dropped, err := engine.Staging.EndStage(t.Context())
		if dropped != c.kept || err != nil {
			t.Errorf("after %v something was kept: %v, %v", c.err, dropped, err)
		}
	}
}

// A sender that goes away in the middle of a patch leaves the place to the next.
func TestASenderGoesAwayInAPatch(t *testing.T) {
	u := newUpdate(t)
	engine, _ := patchDevice(t, u)
	stage := u.begin(t, engine)
	if _, err := u.ask(t, stage); err != nil {
		t.Fatal(err)
	}
	if err := stage.Write(u.patched[:1]); err != nil {
		t.Fatal(err)
	}
	stage.Drop()
	if _, _, err := stage.Finish(t.Context()); refusal.Of(err) != refusal.Cancelled {
		t.Errorf("got %v, want %s", err, refusal.Cancelled)
	}
	if err := stage.Write(u.patched[1:]); err == nil {
		t.Error("a stage that is over takes bytes")
	}
	again := u.begin(t, engine)
	if _, err := u.ask(t, again); err != nil {
		t.Fatal(err)
	}
	if err := again.Write(append(u.patched, u.tail...)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := again.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}
