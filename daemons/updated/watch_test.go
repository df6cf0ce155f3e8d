package updated

import (
	"bytes"
	"reflect"
	"testing"

	"nexus/capnpgen/update"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// watched is a device whose second set was just confirmed and is under watch.
func watched(t *testing.T) *device {
	t.Helper()
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	must(t, d.put(t, "1.1.0"))
	must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
	attempt, refused, err := d.bootAttempt(t.Context(), 0)
	must(t, refused)
	must(t, err)
	under, err := d.engine.confirm(attempt.Boot, true)
	must(t, err)
	if !under {
		t.Fatal("the set is not under watch")
	}
	return d
}

// receive brings an archive to a slot as a stage does.
func (d *device) receive(t *testing.T, slot bootctl.Slot, raw []byte) error {
	t.Helper()
	_, _, err := d.install(t.Context(), slot, d.fromStream(bytes.NewReader(raw), int64(len(raw))),
		newProgress(update.StageProgress{}, int64(len(raw))))
	return err
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
	standby := d.snapshot().Standby()
	if err := d.receive(t, standby, unsigned); refusal.Of(err) != refusal.InvalidSignature {
		t.Fatalf("got %v, want %s", err, refusal.InvalidSignature)
	}
	if d.snapshot().WatchLeft == 0 {
		t.Error("a set that nobody vouched for ended the watch")
	}
	if err := d.receive(t, standby, archive(t, true)); refusal.Of(err) != refusal.DigestMismatch {
		t.Fatalf("got %v, want %s", err, refusal.DigestMismatch)
	}
	if err := d.verify(t.Context(), standby); err != nil || d.snapshot().WatchLeft == 0 {
		t.Errorf("a set that was refused cost the watch, or the set to return to: %v", err)
	}
	before := d.content(standby)
	d.medium.fail = true
	if err := d.receive(t, standby, archive(t, false)); err == nil || d.content(standby).Digest != before.Digest {
		t.Errorf("the way back was taken though the end of the watch is not in the record: %v", err)
	}
	d.medium.fail = false
	must(t, d.receive(t, standby, archive(t, false)))
	if d.snapshot().WatchLeft != 0 {
		t.Error("the other slot was written under watch")
	}
}

// TestTheSetThatRunsIsNotStagedAgain would lose what can be returned to, and the watch, for a copy of what runs.
func TestTheSetThatRunsIsNotStagedAgain(t *testing.T) {
	d := watched(t)
	before, ops := d.snapshot(), len(d.disk.Changes())
	if err := d.put(t, "1.1.0"); refusal.Of(err) != refusal.AlreadyActive {
		t.Errorf("got %v, want %s", err, refusal.AlreadyActive)
	}
	if after := d.snapshot(); !reflect.DeepEqual(after, before) || len(d.disk.Changes()) != ops {
		t.Errorf("the record was %+v and is %+v, after %q", before, after, d.disk.Ops()[ops:])
	}
	verdict, err := d.fail(t.Context(), before.Boot, refusal.CrashLoop, "")
	must(t, err)
	if r := d.snapshot(); verdict != bootctl.RolledBack || r.Slot(r.Active).Version != "1.0.0" {
		t.Errorf("got %s, record %+v", verdict, r)
	}
}

// TestNoStageIntoTheSlotThatHasComeBack has the watch end in a rollback after a stage has begun: its slot is the active
// one then.
func TestNoStageIntoTheSlotThatHasComeBack(t *testing.T) {
	d := watched(t)
	standby := d.snapshot().Standby()
	if _, err := d.fail(t.Context(), d.snapshot().Boot, refusal.CrashLoop, ""); err != nil {
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
