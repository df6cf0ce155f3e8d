package updater

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// TestAStepThatIsNotDurableHasNotHappened fails the record's medium under each operation.
func TestAStepThatIsNotDurableHasNotHappened(t *testing.T) {
	for name, do := range map[string]func(*device) error{
		"attempt": func(d *device) error {
			_, _, err := d.BootAttempt(t.Context(), 0)
			return err
		},
		"switch":    func(d *device) error { return d.Switch(t.Context(), d.Record().StageSerial) },
		"discard":   func(d *device) error { return d.Discard(context.Background(), d.Record().StageSerial) },
		"good word": func(d *device) error { return d.commit(d.Record().Boot) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			_, _, err := d.BootAttempt(t.Context(), 0)
			must(t, err)
			must(t, d.put(t, "1.0.0"))
			before, onDisk := d.Record(), d.ledger.slots.content(bootctl.B)
			d.medium.fail = true
			if err := do(d); !errors.Is(err, errMedium) {
				t.Errorf("got error %v, want the medium's", err)
			}
			if after := d.Record(); !reflect.DeepEqual(after, before) {
				t.Errorf("the record went from %+v to %+v", before, after)
			}
			if got := d.ledger.slots.content(bootctl.B); got.Digest != onDisk.Digest {
				t.Errorf("slot b holds %s, want %s", got.Digest, onDisk.Digest)
			}
		})
	}
}

// TestConfirmedSlotOutlivesTheRecord looks for the one thing that a start without a record goes by.
func TestConfirmedSlotOutlivesTheRecord(t *testing.T) {
	d := newDevice(t)
	must(t, d.put(t, "1.0.0"))
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	attempt, refused, err := d.BootAttempt(t.Context(), 0)
	must(t, errors.Join(refused, err))
	wantActive(t, d, bootctl.None)
	must(t, d.commit(attempt.Boot))
	wantActive(t, d, bootctl.B)
}

func wantActive(t *testing.T, d *device, want bootctl.Slot) {
	t.Helper()
	if got, err := d.ledger.slots.store.Active(); err != nil || got != want {
		t.Errorf("the slots say that %s is active (%v), want %s", got, err, want)
	}
}

// TestWhatNoLongerVerifiesIsNotPublished takes the trust away between the stage and the attempt. The attempt is counted
// all the same.
func TestWhatNoLongerVerifiesIsNotPublished(t *testing.T) {
	d := newDevice(t)
	must(t, d.put(t, "1.0.0"))
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	d.distrust.Store(true)
	attempt, refused, err := d.BootAttempt(t.Context(), 0)
	must(t, err)
	if refusal.Of(refused) != refusal.InvalidSignature || d.published.Load() > 0 {
		t.Errorf("got refusal %v and %d publications, want %s and none", refused, d.published.Load(),
			refusal.InvalidSignature)
	}
	if attempt.TriesLeft != bootctl.DefaultTries-1 {
		t.Errorf("%d tries are left, want %d", attempt.TriesLeft, bootctl.DefaultTries-1)
	}
	d.distrust.Store(false)
	if _, refused, err = d.BootAttempt(t.Context(), 0); refused != nil || err != nil || d.published.Load() != 1 {
		t.Errorf("trusted again: got refusal %v, error %v, %d publications", refused, err, d.published.Load())
	}
}

// TestQuarantinedSetWritesNothing stages again what was rolled back and is not on the disk any more, over another set
// that is staged.
func TestQuarantinedSetWritesNothing(t *testing.T) {
	d := newDevice(t)
	for _, version := range []string{"1.0.0", "1.1.0"} {
		must(t, d.put(t, version))
		must(t, d.Switch(t.Context(), d.Record().StageSerial))
		must(t, d.Rollback(t.Context()))
	}
	must(t, d.put(t, "1.2.0"))
	before, onDisk, changes := d.Record(), d.ledger.slots.content(bootctl.B), len(d.disk.Changes())
	if err := d.put(t, "1.0.0"); refusal.Of(err) != refusal.Quarantined {
		t.Errorf("got %v, want %s", err, refusal.Quarantined)
	}
	if written := d.disk.Ops(); len(d.disk.Changes()) != changes {
		t.Errorf("the disk was changed: %q", written[len(written)-10:])
	}
	must(t, d.ledger.slots.read())
	if got := d.ledger.slots.content(bootctl.B); got.Digest != onDisk.Digest || !reflect.DeepEqual(d.Record(), before) {
		t.Errorf("slot b holds %s and the record is %+v, want all as before", got.Version, d.Record())
	}
}

// TestBeginRefuses refuses a stage before its first byte is taken.
func TestBeginRefuses(t *testing.T) {
	d := newDevice(t)
	wantBegin := func(what string, want refusal.Reason) {
		t.Helper()
		if err := d.begin(); refusal.Of(err) != want {
			t.Errorf("%s: got %v, want %s", what, err, want)
		}
	}
	must(t, d.begin())
	wantBegin("another is under way", refusal.StageInProgress)
	d.ledger.place.end()
	must(t, d.put(t, "1.0.0"))
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	wantBegin("during a trial", refusal.TrialInProgress)
}
