package updater

import (
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// stagedUnderWatch is a device with a set under watch, a good set before it, and a set that is staged.
func stagedUnderWatch(t *testing.T) *device {
	t.Helper()
	d := watched(t)
	must(t, d.receive(t, archive(t, false)))
	return d
}

// reopened is the device after its engine died, or after a power cut, in the same boot: the record is in memory.
func (d *device) reopened(t *testing.T, disk *durabletest.Disk) *device {
	t.Helper()
	next := newDeviceOn()
	next.disk, next.medium = disk, &medium{raw: slices.Clone(d.medium.raw)}
	next.config.Slots, next.config.Record = next.disk, next.medium
	must(t, next.open())
	return next
}

// wantWholly checks that every place of the record holds its set, and that no other link or set is left on the disk.
func (d *device) wantWholly(t *testing.T) {
	t.Helper()
	r := d.Record()
	want := map[string]bool{}
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B, bootctl.Staged} {
		if err := d.Trial.inspector.verify(t.Context(), slot); err != nil {
			t.Errorf("slot %s: %v", slot, err)
		}
		if c := r.Slot(slot); !c.IsEmpty() {
			want["sets/"+c.Digest.String()+"/"], want[slot.String()] = true, true
		}
	}
	for _, line := range d.disk.Snapshot() {
		name, _, _ := strings.Cut(line, " ")
		isSet := path.Dir(path.Clean(name)) == "sets"
		if !want[name] && (isSet || name == "a" || name == "b" || name == "staged") {
			t.Errorf("%s is left over", name)
		}
	}
}

// TestNothingIsRetiredThatIsSwitchedTo has a switch come right before the place is taken.
func TestNothingIsRetiredThatIsSwitchedTo(t *testing.T) {
	d := newDevice(t)
	comes := false
	d.config.Changed = func() {
		if comes {
			comes = false
			d.ledger.mu.Lock()
			d.ledger.record.Pending = d.ledger.record.Standby()
			d.ledger.mu.Unlock()
		}
	}
	must(t, d.open())
	comes = true
	if _, err := d.Retire(); refusal.Of(err) != refusal.TrialInProgress {
		t.Errorf("got %v, want %s", err, refusal.TrialInProgress)
	}
	if d.ledger.place.isTaken() {
		t.Error("the place is still taken")
	}
}

// A switch fails at each of its operations: nothing has changed then, and it can be done again. Once it is in the
// record it has not failed, and the links follow.
func TestASwitchThatFails(t *testing.T) {
	late := 0
	for n, met := 0, true; met; n++ {
		d := stagedUnderWatch(t)
		before, ops := d.Record(), len(d.disk.Ops())
		d.disk.FailAt(n, syscall.EIO)
		err := d.Switch(t.Context(), before.StageSerial)
		met = len(d.disk.Ops())-ops >= n
		if r := d.Record(); err != nil && (r.WatchLeft != before.WatchLeft || r.Slots != before.Slots ||
			r.Staged != before.Staged || r.Pending != bootctl.None) {
			t.Fatalf("operation %d failed: %v; the record is %+v, was %+v", n, err, r, before)
		}
		d.wantReturn(t, n)
		if err != nil {
			must(t, d.Switch(t.Context(), before.StageSerial))
		} else if d.ledger.unplaced(d.Record()) {
			late++
		}
		if a := d.attempt(t); !a.Trial || d.Record().Slot(a.Slot).Version != "1.2.0" {
			t.Errorf("operation %d failed, then attempt %+v", n, a)
		}
		d = d.reopened(t, d.disk.Clone())
		d.wantWholly(t)
	}
	if late == 0 {
		t.Error("the links always followed at once")
	}
}

// wantReturn checks on a twin of the device that it can go back from what is under watch, or on trial.
func (d *device) wantReturn(t *testing.T, n int) {
	t.Helper()
	twin := d.reopened(t, d.disk.Clone())
	want := "1.0.0"
	if twin.Record().Pending != bootctl.None {
		want = "1.1.0"
	}
	must(t, twin.Rollback(t.Context()))
	if a := twin.attempt(t); twin.Record().Slot(a.Slot).Version != want {
		t.Errorf("operation %d: back in %+v, want %s", n, twin.Record().Slot(a.Slot), want)
	}
}

// The engine dies after each operation of a switch, alone or with the power: the switch has not begun, and the watch
// goes on, or it is carried out.
func TestASwitchThatIsCut(t *testing.T) {
	switched := 0
	for n, done := 0, false; !done; n++ {
		d := stagedUnderWatch(t)
		before := d.Record()
		d.disk.CutAfter(n)
		err := d.Switch(t.Context(), before.StageSerial)
		done = err == nil && !d.disk.MetCut()
		disks := []*durabletest.Disk{d.disk.Clone()}
		for _, outcome := range durabletest.Outcomes() {
			disks = append(disks, d.disk.Reboot(outcome))
		}
		for _, disk := range disks {
			next := d.reopened(t, disk)
			r := next.Record()
			switch {
			case r.Pending != bootctl.None && r.Staged.IsEmpty() && r.Slot(r.Pending).Version == "1.2.0":
				switched++
			case done || r.Slots != before.Slots || r.Staged != before.Staged || r.WatchLeft != before.WatchLeft:
				t.Fatalf("cut after operation %d: the record is %+v, was %+v", n, r, before)
			}
			next.wantWholly(t)
			next.wantReturn(t, n)
			next.attempt(t)
		}
	}
	if switched <= len(durabletest.Outcomes())+1 {
		t.Errorf("the start carried out no switch: %d", switched)
	}
}

// A staged set that rots is found by the check before the switch, by the scrub, or at the start. It is not staged any
// more; the slots keep theirs.
func TestDamageOfAStagedSet(t *testing.T) {
	for name, found := range map[string]func(*device) error{
		"switch": func(d *device) error { return d.Switch(t.Context(), d.Record().StageSerial) },
		"scrub": func(d *device) error {
			checks, err := d.Scrub(t.Context())
			must(t, err)
			return checks[len(checks)-1].Err
		},
	} {
		for _, file := range setFiles() {
			t.Run(name+"/"+file, func(t *testing.T) {
				d := stagedUnderWatch(t)
				before := d.Record()
				d.flip(t, bootctl.Staged, file)
				if err := found(d); refusal.Of(err) != refusal.DigestMismatch {
					t.Errorf("got %v, want %s", err, refusal.DigestMismatch)
				}
				r := d.Record()
				if !r.Staged.IsEmpty() || r.Slots != before.Slots || r.WatchLeft != before.WatchLeft ||
					len(r.Quarantine) > 0 {
					t.Errorf("the record is %+v, was %+v", r, before)
				}
				if err := d.Switch(t.Context(), before.StageSerial); refusal.Of(err) != refusal.Stale {
					t.Errorf("switched again: %v", err)
				}
				must(t, d.receive(t, archive(t, false)))
				must(t, d.Switch(t.Context(), d.Record().StageSerial))
				d.attempt(t)
				d.wantWholly(t)
			})
		}
	}
}

// A key that is no longer trusted keeps a staged set from its switch, and costs nothing.
func TestNoSwitchWithoutTrust(t *testing.T) {
	d := stagedUnderWatch(t)
	before := d.Record()
	d.distrust.Store(true)
	if err := d.Switch(t.Context(), before.StageSerial); refusal.Of(err) != refusal.InvalidSignature {
		t.Errorf("got %v, want %s", err, refusal.InvalidSignature)
	}
	if r := d.Record(); r.Slots != before.Slots || r.Staged != before.Staged || r.WatchLeft != before.WatchLeft {
		t.Errorf("the record is %+v, was %+v", r, before)
	}
}

// An older version has opened the slots: it does not know the link, and has removed the set.
func TestStagedSetThatAnOlderVersionRemoved(t *testing.T) {
	d := stagedUnderWatch(t)
	before := d.Record()
	must(t, d.disk.RemoveAll("sets/"+before.Staged.Digest.String()))
	next := d.reopened(t, d.disk.Clone())
	if r := next.Record(); !r.Staged.IsEmpty() || r.Slots != before.Slots || r.WatchLeft != before.WatchLeft {
		t.Errorf("the record is %+v, was %+v", r, before)
	}
	next.wantWholly(t)
	next.wantReturn(t, 0)
}

// An older version staged a set in the standby slot. It is staged, and can be switched to or dropped.
func TestSetThatAnOlderVersionStaged(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	must(t, d.put(t, "1.1.0"))
	standby := d.Record().Standby()
	must(t, d.disk.Rename("staged", standby.String()))
	must(t, d.disk.SyncDir("."))
	d.rewrite(t, func(root bootrecord.BootRecord) error {
		set, err := root.StagedSet()
		must(t, err)
		root.SetStaged(bootrecord.Slot(standby))
		must(t, root.SetSlotA(set))
		return root.SetStagedSet(bootrecord.SlotContent{})
	})
	next := d.reopened(t, d.disk.Clone())
	serial, err := next.Staged()
	must(t, err)
	must(t, next.Trial.inspector.verify(t.Context(), bootctl.Staged))
	must(t, next.Switch(t.Context(), serial))
	if a := next.attempt(t); a.Slot != standby || next.Record().Slot(standby).Version != "1.1.0" {
		t.Errorf("got %+v", a)
	}
	next.wantWholly(t)

	next = d.reopened(t, d.disk.Clone())
	must(t, next.Discard(t.Context(), serial))
	if _, err := next.Staged(); refusal.Of(err) != refusal.NothingStaged {
		t.Errorf("got %v, want %s", err, refusal.NothingStaged)
	}
	next.wantWholly(t)
}

// rewrite changes the stored record.
func (d *device) rewrite(t *testing.T, change func(bootrecord.BootRecord) error) {
	t.Helper()
	cell, err := durable.OpenCell(d.medium)
	must(t, err)
	raw, _ := cell.Load()
	from, err := capnp.Unmarshal(raw)
	must(t, err)
	old, err := bootrecord.ReadRootBootRecord(from)
	must(t, err)
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	root, err := bootrecord.NewRootBootRecord(seg)
	must(t, err)
	must(t, capnp.Struct(root).CopyFrom(capnp.Struct(old)))
	must(t, change(root))
	raw, err = msg.Marshal()
	must(t, err)
	must(t, cell.Store(raw))
}

// A check before the switch that fails only because the set was superseded meanwhile marks nothing.
func TestCheckOfASupersededSet(t *testing.T) {
	d := stagedUnderWatch(t)
	before := d.Record()
	must(t, d.put(t, "1.3.0"))
	now := d.Record()
	must(t, d.runnable(t.Context(), before, before.StageSerial))
	if err := d.Switch(t.Context(), before.StageSerial); refusal.Of(err) != refusal.Stale {
		t.Errorf("got %v, want %s", err, refusal.Stale)
	}
	if r := d.Record(); r.Staged != now.Staged || nxs.Digest(r.Staged.Digest) != d.ledger.slots.content(
		bootctl.Staged).Digest {
		t.Errorf("staged is %+v, was %+v", r.Staged, now.Staged)
	}
}
