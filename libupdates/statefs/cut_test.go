package statefs_test

import (
	"fmt"
	"testing"

	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/statefs"
)

// A cut after any operation of a first start leaves an empty folder or ours, and it can be used.
func TestCutWhileMakingAFolder(t *testing.T) {
	for n, opened := 0, false; !opened; n++ {
		for _, outcome := range durabletest.Outcomes() {
			d := durabletest.New()
			d.CutAfter(n)
			_, err := statefs.Open(d)
			opened = err == nil && !d.MetCut()
			s, err := statefs.Open(d.Reboot(outcome))
			if err != nil {
				t.Fatalf("cut after operation %d, %s: %v", n, outcome.Name, err)
			}
			put(t, s.Prefix("boot"), "key", "v")
		}
	}
}

// A change of the key `key`, which holds `old`, next to other keys that it must not touch.
type change struct {
	name string
	do   func(*statefs.Prefix) error
	want string // the value afterwards; empty: none
}

func changes() []change {
	synced := func(p *statefs.Prefix, err error) error {
		if err != nil {
			return err
		}
		return p.Sync()
	}
	return []change{
		{"replace", func(p *statefs.Prefix) error { return synced(p, p.Put("key", []byte("new"))) }, "new"},
		{"delete", func(p *statefs.Prefix) error { return synced(p, p.Delete("key")) }, ""},
		{"replace twice", func(p *statefs.Prefix) error {
			if err := p.Put("key", []byte("old")); err != nil {
				return err
			}
			return synced(p, p.Put("key", []byte("new")))
		}, "new"},
	}
}

func TestCutEverywhere(t *testing.T) {
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			for n, done := 0, false; !done; n++ {
				for _, outcome := range durabletest.Outcomes() {
					d := durabletest.New()
					s := open(t, d)
					put(t, s.Prefix("boot"), "key", "old")
					put(t, s.Prefix("boot"), "other", "other")
					if err := s.Prefix("boot").Sync(); err != nil {
						t.Fatal(err)
					}
					d = d.Clone()
					boot := open(t, d).Prefix("boot")
					d.CutAfter(n)
					done = c.do(boot) == nil
					if err := c.holds(d.Reboot(outcome), done); err != nil {
						t.Fatalf("cut after operation %d, %s: %v", n, outcome.Name, err)
					}
				}
			}
		})
	}
}

// holds checks that the key has the old value or the new one, and the new one if the change was reported durable.
func (c change) holds(fs durable.FS, done bool) error {
	s, err := statefs.Open(fs)
	if err != nil {
		return err
	}
	if other, err := s.Prefix("boot").Get("other"); err != nil || string(other) != "other" {
		return fmt.Errorf("the other key has %q, %v", other, err)
	}
	got, err := s.Prefix("boot").Get("key")
	if refusal.Of(err) == refusal.NoSuchKey {
		got, err = nil, nil
	}
	if err != nil || string(got) != c.want && (done || string(got) != "old") {
		return fmt.Errorf("the key has %q, %v", got, err)
	}
	return nil
}

// A cut at any step of storing the boot record leaves the old record or the new one. Once it was reported stored, it is
// the new one, even with either copy damaged.
func TestCutTheRecordEverywhere(t *testing.T) {
	base := durabletest.New()
	if err := cellOn(t, base).StoreTwice([]byte("old")); err != nil {
		t.Fatal(err)
	}
	base = base.Clone()
	for n, done := 0, false; !done; n++ {
		for _, outcome := range durabletest.Outcomes() {
			d := base.Clone()
			cell := cellOn(t, d)
			d.CutAfter(n)
			done = cell.StoreTwice([]byte("new")) == nil
			after := d.Reboot(outcome)
			got, _ := cellOn(t, after).Load()
			if string(got) != "new" && (done || string(got) != "old") {
				t.Fatalf("cut after operation %d, %s: the record is %q", n, outcome.Name, got)
			}
			if !done {
				continue
			}
			for _, copied := range []string{"boot/record.0.value", "boot/record.1.value"} {
				bad := after.Clone()
				if err := bad.Overwrite(copied, []byte("rot")); err != nil {
					t.Fatal(err)
				}
				if got, _ := cellOn(t, bad).Load(); string(got) != "new" {
					t.Fatalf("with %s damaged the record is %q", copied, got)
				}
			}
		}
	}
}

func cellOn(t *testing.T, fs durable.FS) *durable.Cell {
	t.Helper()
	cell, err := durable.OpenCell(durable.Apart(&statefs.Record{Keys: open(t, fs).Prefix(statefs.Boot)}))
	if err != nil {
		t.Fatal(err)
	}
	return cell
}
