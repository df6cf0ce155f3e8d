package updater

import (
	"reflect"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

func TestFloorPolicies(t *testing.T) {
	x := nxs.Index{SystemVersion: "1.2.0", VersionFloor: "1.1.0"}
	for text, want := range map[string]string{"signed": "1.1.0", "always": "1.2.0", "never": ""} {
		p, err := ParseFloorPolicy(text)
		if got := p.of(x); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "sometimes"} {
		if _, err := ParseFloorPolicy(text); err == nil {
			t.Errorf("%q is a policy", text)
		}
	}
}

// TestASignedFloor takes what a set asks for from its index to the record, through the slot and over a start.
func TestASignedFloor(t *testing.T) {
	key := updatestest.Key(1)
	bundle := updatestest.Bundle("notes", "1.2.0", nil, []byte("bytes"), key)
	index := updatestest.Index(key, "1.2.0", bundle)
	index.VersionFloor = "1.1.0"
	raw, err := index.Encode()
	must(t, err)
	archive := updatestest.ArchiveOf(t, key, raw, bundle)

	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	must(t, d.receive(t, archive))
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	d = mustBoot(t, disk, &medium{})
	must(t, d.commit(d.attempt(t).Boot))
	if got := d.Record().Floor; got != "1.1.0" {
		t.Fatalf("the floor is %q", got)
	}
	if err := d.put(t, "1.0.9"); refusal.Of(err) != refusal.VersionFloor {
		t.Errorf("got %v, want %s", err, refusal.VersionFloor)
	}
	must(t, d.put(t, "1.1.0"))
}

// TestAnOlderSetIsRefused raises the floor, and lowers it again.
func TestAnOlderSetIsRefused(t *testing.T) {
	d := newDevice(t)
	d.ledger.slots.floor = FloorAlways
	d.confirm(t, "1.1.0")
	if got := d.Record().Floor; got != "1.1.0" {
		t.Fatalf("the floor is %q", got)
	}
	before, onDisk := d.Record(), d.disk.Snapshot()
	if err := d.put(t, "1.0.9"); refusal.Of(err) != refusal.VersionFloor {
		t.Errorf("got %v, want %s", err, refusal.VersionFloor)
	}
	if !reflect.DeepEqual(d.Record(), before) || !reflect.DeepEqual(d.disk.Snapshot(), onDisk) {
		t.Error("the refused set changed something")
	}
	if err := d.LowerFloor(t.Context(), "1.2.0"); refusal.Of(err) != refusal.FloorNotLower {
		t.Errorf("got %v, want %s", err, refusal.FloorNotLower)
	}
	must(t, d.LowerFloor(t.Context(), "1.0.0"))
	must(t, d.put(t, "1.0.9"))
}

func TestTheFloorOutlivesTheBoot(t *testing.T) {
	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	d.ledger.slots.floor = FloorAlways
	d.confirm(t, "1.1.0")
	next := mustBoot(t, disk, &medium{})
	if got := next.Record().Floor; got != "1.1.0" {
		t.Fatalf("the floor is %q", got)
	}
	if err := next.put(t, "1.0.0"); refusal.Of(err) != refusal.VersionFloor {
		t.Errorf("got %v, want %s", err, refusal.VersionFloor)
	}
	// With both copies lost the set that runs raises it again once it is confirmed.
	for _, name := range recordFiles() {
		must(t, disk.Overwrite(name, []byte("rot")))
	}
	last := mustBoot(t, disk, &medium{})
	last.ledger.slots.floor = FloorAlways
	must(t, last.ledger.slots.read())
	must(t, last.commit(last.attempt(t).Boot))
	if r := last.Record(); r.Floor != "1.1.0" || r.Active != bootctl.B {
		t.Errorf("the record is %+v", r)
	}
}
