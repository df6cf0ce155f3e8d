package updater

import (
	"context"
	"slices"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// TestAStageEndsWithItsDaemon ends a daemon's life in mid-stage. The slots have one writer: when Run returns, this one
// has left nothing and writes nothing any more, because the next life opens the same folder.
func TestAStageEndsWithItsDaemon(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	must(t, d.put(t, "1.1.0"))
	before, err := d.ledger.slots.store.Content(bootctl.Staged)
	must(t, err)
	raw := archive(t, false)

	life, end := context.WithCancel(t.Context())
	s, err := d.Stage(t.Context(), Request{Life: life, Size: uint64(len(raw))})
	must(t, err)
	must(t, s.Write(raw[:len(raw)/2]))
	end()
	d.Stop()
	if refusal.Of(s.err) != refusal.Cancelled {
		t.Errorf("the stage ended with %v, want %s", s.err, refusal.Cancelled)
	}
	after, err := d.ledger.slots.store.Content(bootctl.Staged)
	must(t, err)
	if after.Digest != before.Digest {
		t.Errorf("staged is %q, before it was %q", after.Version, before.Version)
	}
	written := d.disk.Ops()
	s.in.Write(raw[len(raw)/2:])
	if now := d.disk.Ops(); !slices.Equal(now, written) {
		t.Errorf("written after the end: %v", now[len(written):])
	}

	_, err = d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw))})
	if refusal.Of(err) != refusal.Cancelled {
		t.Errorf("a stage after the end: %v, want %s", err, refusal.Cancelled)
	}
	if d.ledger.place.isTaken() {
		t.Error("the stage that did not begin has kept the place")
	}
}
