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

// TestAStageCostsNoWatch receives sets that are refused, at their signature and at their last byte, one whose stage
// cannot be recorded, and one that is staged: the watch goes on, and a set that then fails is left for the one before.
func TestAStageCostsNoWatch(t *testing.T) {
	d := watched(t)
	unsigned := archive(t, false)
	unsigned[bytes.Index(unsigned, []byte("system.sig.ed25519"))+512] ^= 1
	before := d.Record()
	wantKept := func(what string) {
		t.Helper()
		r := d.Record()
		if r.WatchLeft != before.WatchLeft || r.Slots != before.Slots {
			t.Errorf("%s: the record is %+v, was %+v", what, r, before)
		}
		for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
			if err := d.Trial.inspector.verify(t.Context(), slot); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if err := d.receive(t, unsigned); refusal.Of(err) != refusal.InvalidSignature {
		t.Errorf("got %v, want %s", err, refusal.InvalidSignature)
	}
	wantKept("a set that nobody vouched for")
	if err := d.receive(t, archive(t, true)); refusal.Of(err) != refusal.DigestMismatch {
		t.Errorf("got %v, want %s", err, refusal.DigestMismatch)
	}
	wantKept("a set with a wrong byte")
	d.medium.fail = true
	if err := d.receive(t, archive(t, false)); err == nil {
		t.Error("the stage was recorded on a medium that fails")
	}
	d.medium.fail = false
	wantKept("a stage that was not recorded")
	must(t, d.receive(t, archive(t, false)))
	wantKept("a stage")

	verdict, err := d.Fail(t.Context(), Failure{Boot: before.Boot, Reason: refusal.CrashLoop})
	must(t, err)
	if a := d.attempt(t); verdict != bootctl.RolledBack || d.Record().Slot(a.Slot).Version != "1.0.0" {
		t.Errorf("got %s, then attempt %+v", verdict, a)
	}
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	if a := d.attempt(t); d.Record().Slot(a.Slot).Version != "1.2.0" || a.Slot != before.Active {
		t.Errorf("switched to %+v", a)
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
	verdict, err := d.Fail(t.Context(), Failure{Boot: before.Boot, Reason: refusal.CrashLoop})
	must(t, err)
	if r := d.Record(); verdict != bootctl.RolledBack || r.Slot(r.Active).Version != "1.0.0" {
		t.Errorf("got %s, record %+v", verdict, r)
	}
}

// TestAReturnDuringAStage ends the watch in a rollback while a set is received: the set is still staged, for the slot
// that was left.
func TestAReturnDuringAStage(t *testing.T) {
	d := watched(t)
	before := d.Record()
	raw := archive(t, false)
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw))})
	must(t, err)
	must(t, s.Write(raw[:len(raw)/2]))
	must(t, d.Rollback(t.Context()))
	wantActive(t, d, before.Standby())
	must(t, s.Write(raw[len(raw)/2:]))
	serial, _, err := s.Finish(t.Context())
	must(t, err)
	set, err := d.Describe(serial)
	must(t, err)
	if set.Slot != before.Active || set.Version != "1.2.0" {
		t.Errorf("staged is %+v", set)
	}
	must(t, d.Trial.inspector.verify(t.Context(), before.Standby()))
}

// A watch does not lead back to a set that may not run: its key is no longer trusted, or a root has revoked it. Then
// what runs, however unwell, is better than nothing.
func TestWatchDoesNotLeadToWhatMayNotRun(t *testing.T) {
	for _, how := range []string{"a failure", "too many starts"} {
		d := watched(t)
		before := d.Record()
		d.distrust.Store(true)
		if how == "a failure" {
			verdict, err := d.Fail(t.Context(), Failure{Boot: before.Boot, Reason: refusal.ServiceExited, Detail: "it ended"})
			if must(t, err); verdict != bootctl.Stays {
				t.Errorf("%s: the verdict is %v", how, verdict)
			}
		}
		for range bootctl.DefaultTries + 1 {
			_, _, err := d.BootAttempt(t.Context(), 0)
			must(t, err)
		}
		if now := d.Record(); now.Active != before.Active || now.WatchLeft != 0 || len(now.Quarantine) > 0 {
			t.Errorf("%s: the record is %+v", how, now)
		}
	}
}
