package updated

import (
	"bytes"
	"testing"

	"nexus/capnpgen/update"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// withCore is a device whose second set, which carries a core, is on trial: its attempt was counted.
func withCore(t *testing.T) (*device, bootctl.Attempt) {
	t.Helper()
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	key := updatestest.Key(1)
	archive := updatestest.Archive(t, key, "1.1.0", updatestest.Bundle(nxs.CoreName, "1.1.0", nil, []byte("the core"),
		key))
	_, _, err := d.install(t.Context(), d.snapshot().Standby(),
		d.fromStream(bytes.NewReader(archive), int64(len(archive))), newProgress(update.StageProgress{}, 0))
	must(t, err)
	must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
	attempt, refused, err := d.bootAttempt(t.Context(), 0)
	must(t, refused)
	must(t, err)
	return d, attempt
}

// TestACoreIsWaitedFor counts the attempt of a set with a core, and publishes nothing: neither then nor when updated
// dies before the core has taken over.
func TestACoreIsWaitedFor(t *testing.T) {
	d, attempt := withCore(t)
	before := d.published.Load()
	if attempt.Slot != d.snapshot().Standby() || attempt.TriesLeft != bootctl.DefaultTries-1 {
		t.Errorf("got %+v", attempt)
	}
	if d.successor(attempt.Slot) != update.HandOver_slot || d.successor(attempt.Slot.Other()) != update.HandOver_none {
		t.Errorf("to take over: %v for the new slot, %v for the old one", d.successor(attempt.Slot),
			d.successor(attempt.Slot.Other()))
	}
	d.publisher.target = nil
	d.resume()
	if d.publisher.target != nil {
		t.Errorf("a next life would publish %+v", d.publisher.target)
	}
	if now := d.published.Load(); now != before {
		t.Errorf("published %d times more", now-before)
	}
}

// TestACoreTakesUpTheAttempt has the core that was waited for ask for the attempt that was counted for it: it is
// published and not counted again. With any other number an attempt is counted.
func TestACoreTakesUpTheAttempt(t *testing.T) {
	d, counted := withCore(t)
	d.core = nxs.Sum([]byte("the core"))
	before, published := d.snapshot(), d.published.Load()
	attempt, refused, err := d.bootAttempt(t.Context(), counted.Boot)
	must(t, refused)
	must(t, err)
	if attempt != counted || d.snapshot().Boot != before.Boot || d.snapshot().TriesLeft != before.TriesLeft {
		t.Errorf("got %+v, counted was %+v", attempt, counted)
	}
	if now := d.published.Load(); now != published+1 {
		t.Errorf("published %d times, want once", now-published)
	}
	attempt, _, err = d.bootAttempt(t.Context(), counted.Boot-1)
	must(t, err)
	if attempt.Boot != counted.Boot+1 || attempt.TriesLeft != counted.TriesLeft-1 {
		t.Errorf("for a number that is over: got %+v", attempt)
	}
}

// TestAskedAgainNothingIsCounted has the core that could not hand over yet ask again for the attempt it had counted: it
// is the same one, and still not published.
func TestAskedAgainNothingIsCountedForACore(t *testing.T) {
	d, counted := withCore(t)
	published := d.published.Load()
	attempt, refused, err := d.bootAttempt(t.Context(), counted.Boot)
	must(t, err)
	if attempt != counted || refusal.Of(refused) != "" || d.published.Load() != published {
		t.Errorf("got %+v, %v", attempt, refused)
	}
}
