package updated

import (
	"io/fs"
	"path"
	"slices"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/keystore"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/statefs"
)

// below is the part of a file system that is below a folder, so that slots and state may be on one disk and lose its
// power together.
type below struct {
	durable.FS
	dir string
}

func (b below) at(name string) string { return path.Join(b.dir, name) }

func (b below) Kind(name string) (fs.FileMode, error)      { return b.FS.Kind(b.at(name)) }
func (b below) Open(name string) (durable.ReadFile, error) { return b.FS.Open(b.at(name)) }
func (b below) Readlink(name string) (string, error)       { return b.FS.Readlink(b.at(name)) }
func (b below) ReadDir(name string) ([]string, error)      { return b.FS.ReadDir(b.at(name)) }
func (b below) Mkdir(name string) error                    { return b.FS.Mkdir(b.at(name)) }
func (b below) Rename(from, to string) error               { return b.FS.Rename(b.at(from), b.at(to)) }
func (b below) Symlink(target, name string) error          { return b.FS.Symlink(target, b.at(name)) }
func (b below) Link(from, to string) error                 { return b.FS.Link(b.at(from), b.at(to)) }
func (b below) Remove(name string) error                   { return b.FS.Remove(b.at(name)) }
func (b below) RemoveAll(name string) error                { return b.FS.RemoveAll(b.at(name)) }
func (b below) SyncDir(name string) error                  { return b.FS.SyncDir(b.at(name)) }
func (b below) Create(name string, p fs.FileMode) (durable.File, error) {
	return b.FS.Create(b.at(name), p)
}

// newDisk returns a disk with a folder for the slots and one for the state.
func newDisk(t *testing.T) *durabletest.Disk {
	t.Helper()
	disk := durabletest.New()
	must(t, disk.Mkdir("system"))
	must(t, disk.Mkdir("state"))
	return disk.Clone()
}

// bootOn takes up what a disk holds, in the boot that the memory belongs to: empty memory is a new boot.
func bootOn(t *testing.T, disk *durabletest.Disk, memory *medium) (*device, error) {
	t.Helper()
	d := newDeviceOn(t)
	d.medium = memory
	return d, d.takeUp(disk, memory)
}

// newDeviceOn is a device that has not booted yet.
func newDeviceOn(t *testing.T) *device {
	t.Helper()
	d := &device{medium: &medium{}}
	d.engine = &engine{
		clock: plat.RealClock{}, log: logclient.New("updated", vat.NewHolding("LogSink")),
		verifier: provided(t, capnp.Client(keystore.Verifier_ServerToClient((*fakeKeystored)(d)))),
		publisher: &publisher{holding: provided(t,
			capnp.Client(bundle.SlotPublisher_ServerToClient((*fakeBundlemgrd)(d))))},
		limits: nxs.DefaultLimits(), tries: bootctl.DefaultTries,
	}
	return d
}

func (d *device) takeUp(disk *durabletest.Disk, memory *medium) error {
	state, err := statefs.Open(below{disk, "state"})
	if err != nil {
		return err
	}
	record := durable.Apart(&statefs.Record{Keys: state.Prefix(statefs.Boot)})
	if err := d.open(below{disk, "system"}, record, memory); err != nil {
		return err
	}
	d.resume()
	return nil
}

func mustBoot(t *testing.T, disk *durabletest.Disk, memory *medium) *device {
	t.Helper()
	d, err := bootOn(t, disk, memory)
	must(t, err)
	return d
}

// attempt begins an attempt that must be possible.
func (d *device) attempt(t *testing.T) bootctl.Attempt {
	t.Helper()
	a, refused, err := d.bootAttempt(t.Context(), 0)
	must(t, refused)
	must(t, err)
	return a
}

func TestTheRecordOutlivesTheBoot(t *testing.T) {
	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	must(t, d.rollback(t.Context()))
	must(t, d.put(t, "1.2.0"))
	before := d.snapshot()

	next := mustBoot(t, disk, &medium{})
	after := next.snapshot()
	if !slices.Equal(after.Quarantine, before.Quarantine) || !slices.Equal(beforeBoot(after), before.History) ||
		*after.LastRollback != *before.LastRollback || after.Slots != before.Slots || after.Staged != before.Staged ||
		after.Active != before.Active {
		t.Errorf("the record was %+v and is %+v", before, after)
	}
	if !next.persistent() || next.ready() != "updated: ready (statefs)" {
		t.Errorf("it says %q", next.ready())
	}
	if err := next.put(t, "1.1.0"); refusal.Of(err) != refusal.Quarantined {
		t.Errorf("what was rolled back can be staged again: %v", err)
	}
	must(t, next.switchTo(t.Context(), after.StageSerial))
}

// beforeBoot is the history of a record that was just taken up in a new boot, without the event of that.
func beforeBoot(r bootctl.Record) []bootctl.Event {
	last := len(r.History) - 1
	if r.History[last].Op != bootctl.OpBoot {
		return nil
	}
	return r.History[:last]
}

// Nothing of a slot runs in a new boot before an attempt was counted in that boot.
func TestANewBootPublishesNothingByItself(t *testing.T) {
	disk := newDisk(t)
	memory := &medium{}
	d := mustBoot(t, disk, memory)
	d.confirm(t, "1.0.0")
	boot := d.snapshot().Boot

	again := mustBoot(t, disk, memory)
	if r := again.snapshot(); !r.Begun() || !r.HealthOK || r.Boot != boot || again.publisher.target == nil {
		t.Errorf("another life in the same boot is at %+v, publishes %v", r, again.publisher.target)
	}
	next := mustBoot(t, disk, &medium{})
	if r := next.snapshot(); r.Begun() || r.HealthOK || next.publisher.target != nil {
		t.Errorf("a new boot is at %+v, publishes %v", r, next.publisher.target)
	}
	if err := next.commit(boot); refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("a verdict about the boot before was taken: %v", err)
	}
	if a := next.attempt(t); a.Boot <= boot || a.Slot != bootctl.B {
		t.Errorf("got attempt %+v after %d", a, boot)
	}
}

func TestATrialEndsWithinItsTriesOverReboots(t *testing.T) {
	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	d.confirm(t, "1.0.0")
	must(t, d.put(t, "1.1.0"))
	must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
	for left := bootctl.DefaultTries - 1; left >= 0; left-- {
		d = mustBoot(t, disk, &medium{})
		if a := d.attempt(t); a.Slot != bootctl.A || !a.Trial || int(a.TriesLeft) != left {
			t.Fatalf("with %d tries left: got attempt %+v", left, a)
		}
	}
	d = mustBoot(t, disk, &medium{})
	if a := d.attempt(t); a.Slot != bootctl.B || a.Trial || !a.RolledBack {
		t.Fatalf("got attempt %+v", a)
	}
	r := mustBoot(t, disk, &medium{}).snapshot()
	if r.LastRollback == nil || r.LastRollback.Reason != refusal.TriesExhausted || len(r.Quarantine) != 1 {
		t.Errorf("the record is %+v", r)
	}
}

// recordFiles are the two copies on the disk.
func recordFiles() []string {
	return []string{"state/boot/record.0.value", "state/boot/record.1.value"}
}

func TestEitherCopyOfTheRecordMayBeDamaged(t *testing.T) {
	disk := newDisk(t)
	d := mustBoot(t, disk, &medium{})
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	must(t, d.rollback(t.Context())) // the last word: without it the quarantine would be empty
	want := d.snapshot()
	for _, damaged := range recordFiles() {
		bad := disk.Clone()
		must(t, bad.Overwrite(damaged, []byte("rot")))
		next := mustBoot(t, bad, &medium{})
		if got := next.snapshot(); !slices.Equal(got.Quarantine, want.Quarantine) ||
			!slices.Equal(beforeBoot(got), want.History) {
			t.Errorf("with %s damaged the record is %+v, want %+v", damaged, got, want)
		}
		// One step heals: then the other copy may be damaged.
		next.attempt(t)
		for _, other := range recordFiles() {
			worse := bad.Clone()
			must(t, worse.Overwrite(other, []byte("rot")))
			if got := mustBoot(t, worse, &medium{}).snapshot(); !slices.Equal(got.Quarantine, want.Quarantine) {
				t.Errorf("with %s damaged, then %s, the record is %+v", damaged, other, got)
			}
		}
	}
}

func TestWithBothCopiesDamagedTheConfirmedSlotRuns(t *testing.T) {
	disk := newDisk(t)
	memory := &medium{}
	d := mustBoot(t, disk, memory)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	must(t, d.rollback(t.Context()))
	want := d.snapshot()
	for _, name := range recordFiles() {
		must(t, disk.Overwrite(name, []byte("rot")))
	}
	// In the same boot the copy in memory knows it all.
	same := mustBoot(t, disk.Clone(), memory).snapshot()
	if !slices.Equal(same.Quarantine, want.Quarantine) || same.Boot != want.Boot {
		t.Errorf("in the same boot the record is %+v, want %+v", same, want)
	}
	// In a new boot the slot that was confirmed last runs.
	next := mustBoot(t, disk, &medium{})
	if a := next.attempt(t); a.Slot != want.Active {
		t.Errorf("slot %s runs, want %s", a.Slot, want.Active)
	}
	again := mustBoot(t, disk, &medium{})
	if !again.snapshot().Slot(want.Active).Good || again.snapshot().Boot < next.snapshot().Boot {
		t.Errorf("the record was not begun again: %+v", again.snapshot())
	}
}

// Every step, cut after every operation, on one disk that holds slots and state: the next boot takes up the record from
// before the step or from after it, and the one from after it if the step was reported done.
func TestCutEveryStep(t *testing.T) {
	for _, step := range []struct {
		name    string
		prepare func(*device)
		do      func(*device) error
		same    func(before, after bootctl.Record) bool // whether the step has not happened
	}{
		{
			name:    "stage",
			prepare: func(*device) {},
			do:      func(d *device) error { return d.put(t, "1.2.0") },
			same:    func(before, after bootctl.Record) bool { return after.Staged == bootctl.None },
		},
		{
			name:    "switch",
			prepare: func(d *device) { must(t, d.put(t, "1.2.0")) },
			do:      func(d *device) error { return d.switchTo(t.Context(), d.snapshot().StageSerial) },
			same:    func(before, after bootctl.Record) bool { return after.Pending == bootctl.None },
		},
		{
			name: "attempt",
			prepare: func(d *device) {
				must(t, d.put(t, "1.2.0"))
				must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
			},
			do: func(d *device) error {
				_, refused, err := d.bootAttempt(t.Context(), 0)
				if err == nil {
					err = refused
				}
				return err
			},
			same: func(before, after bootctl.Record) bool { return after.TriesLeft == before.TriesLeft },
		},
		{
			name: "commit",
			prepare: func(d *device) {
				must(t, d.put(t, "1.2.0"))
				must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
				d.attempt(t)
			},
			do:   func(d *device) error { return d.commit(d.snapshot().Boot) },
			same: func(before, after bootctl.Record) bool { return after.Active == before.Active },
		},
		{
			name:    "rollback",
			prepare: func(*device) {},
			do:      func(d *device) error { return d.rollback(t.Context()) },
			same:    func(before, after bootctl.Record) bool { return after.Active == before.Active },
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			disk := newDisk(t)
			d := mustBoot(t, disk, &medium{})
			d.confirm(t, "1.0.0")
			d.confirm(t, "1.1.0")
			step.prepare(d)
			before := d.snapshot()
			base := disk.Clone()
			for n, done := 0, false; !done; n++ {
				for _, outcome := range durabletest.Outcomes() {
					memory := &medium{raw: slices.Clone(d.medium.raw)}
					disk := base.Clone()
					must(t, d.takeUp(disk, memory))
					disk.CutAfter(n)
					done = step.do(d) == nil && !disk.MetCut()
					next := &device{medium: &medium{}, engine: &engine{
						log: d.log, verifier: d.verifier, publisher: d.publisher, limits: d.limits, tries: d.tries,
					}}
					if err := next.takeUp(disk.Reboot(outcome), next.medium); err != nil {
						t.Fatalf("cut after operation %d, %s: %v", n, outcome.Name, err)
					}
					after := next.snapshot()
					if done && step.same(before, after) {
						t.Fatalf("cut after operation %d, %s: the step was reported done and is lost: %+v", n,
							outcome.Name, after)
					}
					active := after.Slot(after.Active)
					if !active.Good || after.IsQuarantined(active.Digest) || after.Boot < before.Boot {
						t.Fatalf("cut after operation %d, %s: the record is %+v", n, outcome.Name, after)
					}
					for _, slot := range []bootctl.Slot{after.Active, after.Pending, after.Staged} {
						if slot == bootctl.None {
							continue
						}
						if err := next.verify(t.Context(), slot); err != nil {
							t.Fatalf("cut after operation %d, %s: %v", n, outcome.Name, err)
						}
					}
				}
			}
		})
	}
}
