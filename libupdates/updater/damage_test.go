package updater

import (
	"os"
	"path/filepath"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// onDisk is a device whose slots are on the real disk: the folder of the slots, and an engine over it.
type onDisk struct {
	*device
	dir string
}

func newOnDisk(t *testing.T) *onDisk {
	t.Helper()
	d := &onDisk{newDeviceOn(), updatestest.TempDir(t)}
	d.takeUp(t)
	return d
}

func (d *onDisk) takeUp(t *testing.T) {
	t.Helper()
	root, err := os.OpenRoot(d.dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	d.config.Slots, d.config.Record = durable.OS(root), d.medium
	must(t, d.open())
}

// boot takes up what is there as a new boot does: nothing is known but what is stored.
func (d *onDisk) boot(t *testing.T) *onDisk {
	t.Helper()
	next := &onDisk{newDeviceOn(), d.dir}
	next.medium = d.medium
	next.takeUp(t)
	must(t, next.ledger.adopt(next.Record().Restart(bootctl.Power)))
	return next
}

// place is the path of a part of the set in a slot; "" is the slot's link, "." the set's folder.
func (d *onDisk) place(slot bootctl.Slot, part string) string {
	if part == "" {
		return filepath.Join(d.dir, slot.String())
	}
	return filepath.Join(d.dir, "sets", d.Record().Slot(slot).Digest.String(), part)
}

// parts are what a slot consists of.
func parts() []string { return append(setFiles(), "", ".", "system.sig.ed25519", "notes.nxb") }

// A damaging is a damage of a part of a slot, and what the test is called.
type damaging struct {
	name, part string
	damage     updatestest.Damage
}

func damagings() []damaging {
	var all []damaging
	for _, part := range parts() {
		for _, damage := range updatestest.Damages() {
			name := map[string]string{"": "link", ".": "set"}[part]
			if name == "" {
				name = filepath.Base(part)
			}
			all = append(all, damaging{name + " " + damage.Name, part, damage})
		}
	}
	return all
}

// do damages a slot, and reports whether that changed anything: some ways make no sense for some things, or for root.
func (m damaging) do(t *testing.T, d *onDisk, slot bootctl.Slot) bool {
	t.Helper()
	done, err := m.damage.Do(d.place(slot, m.part))
	must(t, err)
	return done
}

// wantBack has the attempt go to a slot, which is published and can be confirmed, and no set in quarantine for the
// damage of its slot.
func (d *onDisk) wantBack(t *testing.T, slot bootctl.Slot) {
	t.Helper()
	published := d.published.Load()
	a, refused, err := d.BootAttempt(t.Context(), 0)
	must(t, err)
	r := d.Record()
	if a.Slot != slot || refused != nil || d.published.Load() != published+1 {
		t.Fatalf("got attempt %+v, refused %v, record %+v", a, refused, r)
	}
	if len(r.Quarantine) != 0 {
		t.Errorf("in quarantine: %+v", r.Quarantine)
	}
	must(t, d.commit(a.Boot))
}

// A mark can be outlived: the other slot was found damaged once, holds its set again, and comes back, whether the
// active one has a mark of its own or not.
func TestAMarkedSlotThatIsWholeComesBack(t *testing.T) {
	for _, marked := range []bool{false, true} {
		d := newOnDisk(t)
		d.confirm(t, "1.0.0")
		d.confirm(t, "1.1.0")
		active := d.Record().Active
		good, bad := d.place(active.Other(), "."), d.place(active, ".")
		must(t, os.Rename(good, good+".away"))
		if marked {
			must(t, os.RemoveAll(bad))
		}
		_, err := d.Scrub(t.Context())
		must(t, err)
		if r := d.Record(); r.Slot(active.Other()).Damage == "" || (r.Slot(active).Damage != "") != marked {
			t.Fatalf("the record says %+v", r.Slots)
		}
		must(t, os.Rename(good+".away", good))
		must(t, os.RemoveAll(bad))
		d = d.boot(t)
		d.wantBack(t, active.Other())
	}
}

// Whatever the damage of the active slot is, the other slot comes back by itself: at a start, and where a check finds
// it.
func TestTheOtherSlotComesBack(t *testing.T) {
	for _, m := range damagings() {
		t.Run(m.name, func(t *testing.T) {
			d := newOnDisk(t)
			d.confirm(t, "1.0.0")
			d.confirm(t, "1.1.0")
			bad := d.Record().Active
			if !m.do(t, d, bad) {
				return
			}
			checks, err := d.Scrub(t.Context())
			must(t, err)
			if checks[bad-bootctl.A].Err == nil || checks[bad.Other()-bootctl.A].Err != nil {
				t.Errorf("the check says %+v", checks)
			}
			d.wantBack(t, bad.Other())

			d = d.boot(t) // with the mark, and then without it
			d.wantBack(t, bad.Other())
			if err := d.Rollback(t.Context()); refusal.Of(err) != refusal.NoPrevious {
				t.Errorf("back to the damaged slot: %v", err)
			}
			must(t, d.put(t, "1.1.0"))
			must(t, d.Switch(t.Context(), d.Record().StageSerial))
			d.wantBack(t, bad)
		})
	}
}

func TestAtAStartTheOtherSlotComesBack(t *testing.T) {
	for _, m := range damagings() {
		t.Run(m.name, func(t *testing.T) {
			d := newOnDisk(t)
			d.confirm(t, "1.0.0")
			d.confirm(t, "1.1.0")
			bad := d.Record().Active
			if !m.do(t, d, bad) {
				return
			}
			d = d.boot(t)
			d.wantBack(t, bad.Other())
			if r := d.Record(); r.Slot(bad).Damage == "" || r.Slot(bad).Version != "1.1.0" {
				t.Errorf("the record is %+v", r)
			}
		})
	}
}

// Damage of the standby slot changes nothing about the active one, and nobody goes back to it.
func TestTheActiveSlotGoesOn(t *testing.T) {
	for _, m := range damagings() {
		t.Run(m.name, func(t *testing.T) {
			d := newOnDisk(t)
			d.confirm(t, "1.0.0")
			d.confirm(t, "1.1.0")
			good := d.Record().Active
			if !m.do(t, d, good.Other()) {
				return
			}
			if err := d.Rollback(t.Context()); refusal.Of(err) != refusal.NoPrevious {
				t.Errorf("a rollback to a damaged slot: %v", err)
			}
			if r := d.Record(); r.Active != good || !r.HealthOK || r.Slot(good.Other()).Damage == "" {
				t.Errorf("the record is %+v", r)
			}
			d = d.boot(t)
			d.wantBack(t, good)
			checks, err := d.Scrub(t.Context())
			must(t, err)
			if checks[good-bootctl.A].Err != nil || checks[good.Other()-bootctl.A].Err == nil {
				t.Errorf("the check says %+v", checks)
			}
		})
	}
}

// In a trial the damage of either slot is no fault of the set on trial.
func TestDamageInATrial(t *testing.T) {
	for _, m := range damagings() {
		for _, restart := range []bool{true, false} {
			name := m.name
			if restart {
				name += ", new boot"
			}
			t.Run("of it, "+name, func(t *testing.T) {
				d := newOnDisk(t)
				d.confirm(t, "1.0.0")
				must(t, d.put(t, "1.1.0"))
				must(t, d.Switch(t.Context(), d.Record().StageSerial))
				bad := d.Record().Pending
				if !m.do(t, d, bad) {
					return
				}
				if restart {
					d = d.boot(t)
				}
				d.wantBack(t, bad.Other())
				if r := d.Record(); r.Slot(bad).Damage == "" || r.LastRollback.Reason != r.Slot(bad).Damage {
					t.Errorf("the record is %+v", r)
				}
				must(t, d.put(t, "1.1.0"))
			})
			t.Run("of the way back, "+name, func(t *testing.T) {
				d := newOnDisk(t)
				d.confirm(t, "1.0.0")
				must(t, d.put(t, "1.1.0"))
				bad := d.Record().Active
				if !m.do(t, d, bad) {
					return
				}
				if restart {
					d = d.boot(t)
				}
				must(t, d.Switch(t.Context(), d.Record().StageSerial))
				if r := d.Record(); r.Slot(bad).Damage == "" {
					t.Errorf("the switch did not look at the way back: %+v", r)
				}
				if err := d.Rollback(t.Context()); refusal.Of(err) != refusal.NoPrevious {
					t.Errorf("a rollback to a damaged slot: %v", err)
				}
				d.wantBack(t, bad.Other())
			})
		}
	}
}

// A set under watch is not left for one that is not there any more.
func TestDamageUnderWatch(t *testing.T) {
	for _, m := range damagings() {
		t.Run(m.name, func(t *testing.T) {
			d := newOnDisk(t)
			d.confirm(t, "1.0.0")
			must(t, d.put(t, "1.1.0"))
			must(t, d.Switch(t.Context(), d.Record().StageSerial))
			a := d.attempt(t)
			_, err := d.Commit(a.Boot, true)
			must(t, err)
			if !m.do(t, d, a.Slot.Other()) {
				return
			}
			verdict, err := d.Fail(t.Context(), Failure{Boot: a.Boot, Reason: refusal.CrashLoop})
			must(t, err)
			if r := d.Record(); verdict != bootctl.Stays || r.Active != a.Slot || len(r.Quarantine) != 0 ||
				r.Slot(a.Slot.Other()).Damage == "" {
				t.Errorf("got %s, record %+v", verdict, r)
			}
		})
	}
}

// With all slots gone nothing is published, and nothing is confirmed.
func TestNothingIsConfirmedWhereAllIsGone(t *testing.T) {
	d := newOnDisk(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	for _, name := range []string{"a", "b", "sets", "active"} {
		must(t, os.RemoveAll(filepath.Join(d.dir, name)))
	}
	d = d.boot(t)
	a, refused, err := d.BootAttempt(t.Context(), 0)
	must(t, err)
	if refusal.Of(refused) != refusal.MissingEntry || d.published.Load() != 0 {
		t.Errorf("got attempt %+v, refused %v, %d publications", a, refused, d.published.Load())
	}
	if err := d.commit(a.Boot); refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("the commit: %v", err)
	}
	must(t, d.put(t, "1.2.0"))
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	d.wantBack(t, a.Slot.Other())
}

// A signed set that nobody switched to does not run, whatever brought it into the active slot: one below the floor, one
// in quarantine.
func TestAnotherSetInTheActiveSlotDoesNotRun(t *testing.T) {
	d := newOnDisk(t)
	d.confirm(t, "1.0.0")
	old := d.Record().Slot(d.Record().Active).Digest
	aside := filepath.Join(t.TempDir(), "old")
	must(t, os.CopyFS(aside, os.DirFS(d.place(d.Record().Active, "."))))
	d.confirm(t, "1.1.0")
	d.confirm(t, "1.2.0")
	bad := d.Record().Active
	must(t, os.CopyFS(filepath.Join(d.dir, "sets", old.String()), os.DirFS(aside)))
	must(t, os.Remove(d.place(bad, "")))
	must(t, os.Symlink("sets/"+old.String(), d.place(bad, "")))
	d = d.boot(t)
	d.wantBack(t, bad.Other())
	if r := d.Record(); r.LastRollback.Reason != refusal.SlotMismatch || r.Slot(r.Active).Version != "1.1.0" ||
		r.Slot(bad).Good {
		t.Errorf("the record is %+v", r)
	}

	must(t, os.Remove(d.place(bad.Other(), ""))) // and with nothing else to run
	must(t, os.Symlink("sets/"+old.String(), d.place(bad.Other(), "")))
	d = d.boot(t)
	a, refused, err := d.BootAttempt(t.Context(), 0)
	must(t, err)
	if refusal.Of(refused) != refusal.SlotMismatch || d.published.Load() != 0 {
		t.Errorf("got attempt %+v, refused %v, %d publications", a, refused, d.published.Load())
	}
	if err := d.commit(a.Boot); refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("the commit: %v", err)
	}
}

// A mark goes only where the set was found intact, not where nothing was found.
func TestAMarkStaysOnWhatIsGone(t *testing.T) {
	d := newOnDisk(t)
	d.confirm(t, "1.0.0")
	d.confirm(t, "1.1.0")
	bad := d.Record().Standby()
	must(t, os.Remove(d.place(bad, "notes.nxb/payload.elf")))
	for _, gone := range []string{"notes.nxb", "."} {
		checks, err := d.Scrub(t.Context())
		must(t, err)
		if checks[bad-bootctl.A].Err == nil || d.Record().Slot(bad).Damage == "" {
			t.Errorf("the check says %+v, the record %+v", checks, d.Record())
		}
		must(t, os.RemoveAll(d.place(bad, gone)))
	}
	must(t, os.Remove(d.place(bad, "")))
	checks, err := d.Scrub(t.Context())
	must(t, err)
	if refusal.Of(checks[bad-bootctl.A].Err) != refusal.MissingEntry || d.Record().Slot(bad).Damage == "" {
		t.Errorf("the check says %+v, the record %+v", checks, d.Record())
	}
	d.attempt(t)
}

// Quarantine and floor hold at an attempt, not only at a stage.
func TestWhatMustNotRunIsNotPublished(t *testing.T) {
	for want, bar := range map[refusal.Reason]func(*bootctl.Record){
		refusal.Quarantined: func(r *bootctl.Record) {
			r.Quarantine = []bootctl.Quarantined{{Digest: r.Slot(r.Active).Digest}}
		},
		refusal.VersionFloor: func(r *bootctl.Record) { r.Floor = "2.0.0" },
	} {
		d := newOnDisk(t)
		d.confirm(t, "1.0.0")
		barred, published := d.Record(), d.published.Load()
		bar(&barred)
		must(t, d.ledger.adopt(barred))
		_, refused, err := d.BootAttempt(t.Context(), 0)
		must(t, err)
		if refusal.Of(refused) != want || d.published.Load() != published {
			t.Errorf("got %v, want %s", refused, want)
		}
	}
}
