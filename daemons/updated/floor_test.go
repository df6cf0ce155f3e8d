package updated

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
		p, err := parseFloorPolicy(text)
		if got := p.of(x); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "sometimes"} {
		if _, err := parseFloorPolicy(text); err == nil {
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
	must(t, d.receive(t, d.snapshot().Standby(), archive))
	must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
	d = mustBoot(t, disk, &medium{})
	must(t, d.commit(d.attempt(t).Boot))
	if got := d.snapshot().Floor; got != "1.1.0" {
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
	d.floor = floorAlways
	d.confirm(t, "1.1.0")
	if got := d.snapshot().Floor; got != "1.1.0" {
		t.Fatalf("the floor is %q", got)
	}
	before, onDisk := d.snapshot(), d.disk.Snapshot()
	if err := d.put(t, "1.0.9"); refusal.Of(err) != refusal.VersionFloor {
		t.Errorf("got %v, want %s", err, refusal.VersionFloor)
	}
	if !reflect.DeepEqual(d.snapshot(), before) || !reflect.DeepEqual(d.disk.Snapshot(), onDisk) {
		t.Error("the refused set changed something")
	}
	if err := d.lowerFloor("1.2.0"); refusal.Of(err) != refusal.FloorNotLower {
		t.Errorf("got %v, want %s", err, refusal.FloorNotLower)
	}
	must(t, d.lowerFloor("1.0.0"))
	must(t, d.put(t, "1.0.9"))
}

func TestTheFloorOutlivesTheBoot(t *testing.T) {
	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	d.floor = floorAlways
	d.confirm(t, "1.1.0")
	next := mustBoot(t, disk, &medium{})
	if got := next.snapshot().Floor; got != "1.1.0" {
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
	last.floor = floorAlways
	must(t, last.readSlots())
	must(t, last.commit(last.attempt(t).Boot))
	if r := last.snapshot(); r.Floor != "1.1.0" || r.Active != bootctl.B {
		t.Errorf("the record is %+v", r)
	}
}
