package updater

import (
	"bytes"
	"reflect"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// watched is a device whose second set was just confirmed and is under watch.
func watched(t *testing.T) *device {
	t.Helper()
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	under, err := d.Commit(d.tryOut(t, "1.1.0").Boot, true)
	must(t, err)
	if !under {
		t.Fatal("the set is not under watch")
	}
	return d
}

// archive is a set whose payload has one wrong bit, or none.
func archive(t *testing.T, damaged bool) []byte {
	t.Helper()
	key := updatestest.Key(1)
	raw := updatestest.Archive(t, key, "1.2.0", updatestest.Bundle("notes", "1.2.0", nil, []byte("bytes of 1.2.0"),
		key))
	if damaged {
		raw[bytes.Index(raw, []byte("bytes of 1.2.0"))] ^= 1
	}
	return raw
}

// TestWatchIsOverBeforeItsWayBackIs receives sets that are refused, at their signature and at their last byte, and one
// that is not: only that takes the way back, and ends the watch.
func TestWatchIsOverBeforeItsWayBackIs(t *testing.T) {
	d := watched(t)
	unsigned := archive(t, false)
	unsigned[bytes.Index(unsigned, []byte("system.sig.ed25519"))+512] ^= 1
	standby := d.Record().Standby()
	if err := d.receive(t, standby, unsigned); refusal.Of(err) != refusal.InvalidSignature {
		t.Fatalf("got %v, want %s", err, refusal.InvalidSignature)
	}
	if d.Record().WatchLeft == 0 {
		t.Error("a set that nobody vouched for ended the watch")
	}
	if err := d.receive(t, standby, archive(t, true)); refusal.Of(err) != refusal.DigestMismatch {
		t.Fatalf("got %v, want %s", err, refusal.DigestMismatch)
	}
	if err := d.verify(t.Context(), standby); err != nil || d.Record().WatchLeft == 0 {
		t.Errorf("a set that was refused cost the watch, or the set to return to: %v", err)
	}
	before := d.content(standby)
	d.medium.fail = true
	if err := d.receive(t, standby, archive(t, false)); err == nil || d.content(standby).Digest != before.Digest {
		t.Errorf("the way back was taken though the end of the watch is not in the record: %v", err)
	}
	d.medium.fail = false
	must(t, d.receive(t, standby, archive(t, false)))
	if d.Record().WatchLeft != 0 {
		t.Error("the other slot was written under watch")
	}
}

// TestTheSetThatRunsIsNotStagedAgain would lose what can be returned to, and the watch, for a copy of what runs.
func TestTheSetThatRunsIsNotStagedAgain(t *testing.T) {
	d := watched(t)
	before, ops := d.Record(), len(d.disk.Changes())
	if err := d.put(t, "1.1.0"); refusal.Of(err) != refusal.AlreadyActive {
		t.Errorf("got %v, want %s", err, refusal.AlreadyActive)
	}
	if after := d.Record(); !reflect.DeepEqual(after, before) || len(d.disk.Changes()) != ops {
		t.Errorf("the record was %+v and is %+v, after %q", before, after, d.disk.Ops()[ops:])
	}
	verdict, err := d.Fail(t.Context(), before.Boot, refusal.CrashLoop, "")
	must(t, err)
	if r := d.Record(); verdict != bootctl.RolledBack || r.Slot(r.Active).Version != "1.0.0" {
		t.Errorf("got %s, record %+v", verdict, r)
	}
}

// TestNoStageIntoTheSlotThatHasComeBack has the watch end in a rollback after a stage has begun: its slot is the active
// one then.
func TestNoStageIntoTheSlotThatHasComeBack(t *testing.T) {
	d := watched(t)
	standby := d.Record().Standby()
	if _, err := d.Fail(t.Context(), d.Record().Boot, refusal.CrashLoop, ""); err != nil {
		t.Fatal(err)
	}
	wantActive(t, d, standby)
	before := d.content(standby)
	if err := d.receive(t, standby, archive(t, false)); refusal.Of(err) != refusal.Superseded {
		t.Errorf("got %v, want %s", err, refusal.Superseded)
	}
	if after := d.content(standby); after.Digest != before.Digest {
		t.Errorf("the active slot holds %s, want %s", after.Digest, before.Digest)
	}
}
