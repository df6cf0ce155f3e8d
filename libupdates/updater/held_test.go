package updater_test

import (
	"bytes"
	"reflect"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
	"nexus/libupdates/updatestest"
)

// heldUpdate is an update that changes nothing but versions, and a device with the set before it.
func heldUpdate(t *testing.T) (u update, engine *updater.Engine) {
	t.Helper()
	key := updatestest.Key(1)
	u.payload = bytes.Repeat([]byte("the same in both. "), 1<<12)
	u.old = updatestest.Archive(t, key, "1.0.0", updatestest.Bundle("notes", "1.0.0", nil, u.payload, key))
	fresh := updatestest.Archive(t, key, "1.1.0", updatestest.Bundle("notes", "1.0.0", nil, u.payload, key))
	u.head, u.tail, _ = bytes.Cut(fresh, u.payload)
	engine, _ = patchDevice(t, u)
	return u, engine
}

// A payload that a slot holds need not come, however the rest comes.
func TestHeldPayloadIsReused(t *testing.T) {
	for _, piece := range []int{1, 7, 1 << 20} {
		u, engine := heldUpdate(t)
		stage := u.begin(t, engine)
		size, err := stage.Reuse(t.Context(), nxs.Sum(u.payload))
		if err != nil || size != int64(len(u.payload)) {
			t.Fatalf("%d bytes were reused: %v", size, err)
		}
		for rest := u.tail; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			if err := stage.Write(rest[:min(piece, len(rest))]); err != nil {
				t.Fatal(err)
			}
		}
		if _, reused, err := stage.Finish(t.Context()); err != nil || reused != size {
			t.Errorf("%d bytes were in place: %v", reused, err)
		}
	}
}

// A sender that has a payload reused where it is not due, or twice, is refused, and the device has what it had.
func TestHeldPayloadElsewhere(t *testing.T) {
	for name, send := range map[string]func(u update, stage *updater.Stage) error{
		"in the middle of it": func(u update, stage *updater.Stage) error { return stage.Write(u.payload[:9]) },
		"twice": func(u update, stage *updater.Stage) error {
			_, err := stage.Reuse(t.Context(), nxs.Sum(u.payload))
			return err
		},
	} {
		u, engine := heldUpdate(t)
		before := engine.Record().Staged
		stage := u.begin(t, engine)
		if err := send(u, stage); err != nil {
			t.Fatal(err)
		}
		_, _ = stage.Reuse(t.Context(), nxs.Sum(u.payload)) // how the stage ends says it
		_, _, err := stage.Finish(t.Context())
		if refusal.Of(err) != refusal.BadArchive {
			t.Errorf("%s: got %v", name, err)
		}
		if after := engine.Record().Staged; after.IsEmpty() || !reflect.DeepEqual(after, before) {
			t.Errorf("%s: staged is %+v, and was %+v", name, after, before)
		}
	}
}
