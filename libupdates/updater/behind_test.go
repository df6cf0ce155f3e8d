package updater

import (
	"io"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

// A recordCopy is what the two files of the record held.
type recordCopy [2][]byte

func copyRecord(t *testing.T, disk *durabletest.Disk) (held recordCopy) {
	t.Helper()
	for i, name := range recordFiles() {
		file, err := disk.Open(name)
		must(t, err)
		held[i], err = io.ReadAll(file)
		must(t, err)
		must(t, file.Close())
	}
	return held
}

func (c recordCopy) putBack(t *testing.T, disk *durabletest.Disk) {
	t.Helper()
	for i, name := range recordFiles() {
		must(t, disk.Overwrite(name, c[i]))
	}
}

// A record put back from a backup keeps no set from running: the slot that was confirmed last does, by an attempt like
// any other, and the set in the other slot can be staged again.
func TestAnOlderRecordStopsNothing(t *testing.T) {
	for name, later := range map[string][]string{
		"two updates later":   {"1.1.0", "1.2.0"},
		"three updates later": {"1.1.0", "1.2.0", "1.3.0"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := newDisk(t)
			d := mustBoot(t, disk, &medium{})
			d.confirm(t, "1.0.0")
			backup := copyRecord(t, disk)
			for _, version := range later {
				d.confirm(t, version)
			}
			want := d.Record()
			backup.putBack(t, disk)

			d = mustBoot(t, disk, &medium{})
			r := d.Record()
			if r.Active != want.Active || r.HealthOK || r.Begun() || r.Slot(r.Active).Good ||
				d.target != nil {
				t.Errorf("before an attempt the record is %+v", r)
			}
			a := d.attempt(t)
			if a.Slot != want.Active || d.Record().Slot(a.Slot).Digest != want.Slot(a.Slot).Digest {
				t.Errorf("got attempt %+v, want slot %s", a, want.Active)
			}
			must(t, d.commit(a.Boot))
			if err := d.Rollback(t.Context()); refusal.Of(err) != refusal.NoPrevious {
				t.Errorf("a rollback to a set that the record never saw healthy: %v", err)
			}
			next := mustBoot(t, disk, &medium{})
			if r := next.Record(); r.Active != want.Active || !r.Slot(r.Active).Good {
				t.Errorf("in the boot after, the record is %+v", r)
			}
			next.confirm(t, "1.4.0")
		})
	}
}

// Quarantine and floor, as far as the older record knows them, still hold.
func TestAnOlderRecordStillBars(t *testing.T) {
	for want, bar := range map[refusal.Reason]func(r *bootctl.Record, set bootctl.Content){
		refusal.Quarantined: func(r *bootctl.Record, set bootctl.Content) {
			r.Quarantine = []bootctl.Quarantined{{Digest: set.Digest}}
		},
		refusal.VersionFloor: func(r *bootctl.Record, _ bootctl.Content) { r.Floor = "2.0.0" },
	} {
		t.Run(string(want), func(t *testing.T) {
			disk := newDisk(t)
			d := mustBoot(t, disk, &medium{})
			d.confirm(t, "1.0.0")
			older := d.Record()
			d.confirm(t, "1.1.0")
			d.confirm(t, "1.2.0")
			bar(&older, d.Record().Slot(d.Record().Active))
			raw, err := bootctl.Encode(older)
			must(t, err)
			must(t, d.ledger.copies.cell.StoreTwice(raw))

			published := d.published.Load()
			d = mustBoot(t, disk, &medium{})
			a, refused, err := d.BootAttempt(t.Context(), 0)
			must(t, err)
			if refusal.Of(refused) != refusal.SlotMismatch || d.published.Load() != 0 || published == 0 {
				t.Errorf("got attempt %+v, refused %v", a, refused)
			}
		})
	}
}
