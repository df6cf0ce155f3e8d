package updater

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// withCore is a device whose second set, which carries a core, is on trial: its attempt was counted.
func withCore(t *testing.T) (*device, Attempt) {
	t.Helper()
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	key := updatestest.Key(1)
	archive := updatestest.Archive(t, key, "1.1.0", updatestest.Bundle(nxs.CoreName, "1.1.0", nil, []byte("the core"),
		key))
	must(t, d.receive(t, archive))
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	return d, d.attempt(t)
}

// TestACoreIsWaitedFor counts the attempt of a set with a core, and publishes nothing: neither then nor when updated
// dies before the core has taken over.
func TestACoreIsWaitedFor(t *testing.T) {
	d, attempt := withCore(t)
	before := d.published.Load()
	if attempt.Slot != d.Record().Standby() || attempt.TriesLeft != bootctl.DefaultTries-1 {
		t.Errorf("got %+v", attempt)
	}
	if d.handOver(attempt.Slot) != ToSlot || d.handOver(attempt.Slot.Other()) != NoHandOver {
		t.Errorf("to take over: %v for the new slot, %v for the old one", d.handOver(attempt.Slot),
			d.handOver(attempt.Slot.Other()))
	}
	d.target = nil
	d.Resume()
	if d.target != nil {
		t.Errorf("a next life would publish %+v", d.target)
	}
	if now := d.published.Load(); now != before {
		t.Errorf("published %d times more", now-before)
	}
}

// TestACoreTakesUpTheAttempt has the core that was waited for ask for the attempt that was counted for it: it is
// published and not counted again. With any other number an attempt is counted.
func TestACoreTakesUpTheAttempt(t *testing.T) {
	d, counted := withCore(t)
	d.Trial.core = nxs.Sum([]byte("the core"))
	before, published := d.Record(), d.published.Load()
	attempt, refused, err := d.BootAttempt(t.Context(), counted.Boot)
	must(t, refused)
	must(t, err)
	if attempt.Attempt != counted.Attempt || d.Record().Boot != before.Boot ||
		d.Record().TriesLeft != before.TriesLeft {
		t.Errorf("got %+v, counted was %+v", attempt, counted)
	}
	if now := d.published.Load(); now != published+1 {
		t.Errorf("published %d times, want once", now-published)
	}
	attempt, _, err = d.BootAttempt(t.Context(), counted.Boot-1)
	must(t, err)
	if attempt.Boot != counted.Boot+1 || attempt.TriesLeft != counted.TriesLeft-1 {
		t.Errorf("for a number that is over: got %+v", attempt)
	}
}

// TestAskedAgainNothingIsCountedForACore has the core that could not hand over yet ask again for the attempt it had
// counted: it is the same one, and still not published.
func TestAskedAgainNothingIsCountedForACore(t *testing.T) {
	d, counted := withCore(t)
	published := d.published.Load()
	attempt, refused, err := d.BootAttempt(t.Context(), counted.Boot)
	must(t, err)
	if attempt != counted || refusal.Of(refused) != "" || d.published.Load() != published {
		t.Errorf("got %+v, %v", attempt, refused)
	}
}
