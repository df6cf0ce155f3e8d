package statefs_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/statefs"
)

// populated returns a disk with a value in each prefix, all durable.
func populated(t *testing.T) *durabletest.Disk {
	t.Helper()
	d := durabletest.New()
	s := open(t, d)
	for name := range statefs.Quotas() {
		put(t, s.Prefix(name), "key", name)
	}
	return d.Clone()
}

// If any bit of any file flips, the key of that file is reported as damaged, and no other key is affected.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	clean := populated(t)
	for name := range statefs.Quotas() {
		raw := read(t, clean, name+"/key.value")
		for bit := range 8 * len(raw) {
			d := clean.Clone()
			bad := bytes.Clone(raw)
			bad[bit/8] ^= 1 << (bit % 8)
			if err := d.Overwrite(name+"/key.value", bad); err != nil {
				t.Fatal(err)
			}
			wantOnlyDamaged(t, open(t, d), name)
		}
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	clean := populated(t)
	raw := read(t, clean, "boot/key.value")
	for n := range len(raw) {
		d := clean.Clone()
		if err := d.Overwrite("boot/key.value", raw[:n]); err != nil {
			t.Fatal(err)
		}
		wantOnlyDamaged(t, open(t, d), "boot")
	}
	d := clean.Clone()
	if err := d.Overwrite("boot/key.value", append(raw, 0)); err != nil {
		t.Fatal(err)
	}
	wantOnlyDamaged(t, open(t, d), "boot")
	if err := d.Overwrite("boot/key.value", make([]byte, statefs.MaxValue+4096)); err != nil {
		t.Fatal(err)
	}
	s := open(t, d)
	wantOnlyDamaged(t, s, "boot")
	put(t, s.Prefix("boot"), "key", "boot") // what is damaged can be replaced
	wantOnlyDamaged(t, open(t, d), "")
}

func wantOnlyDamaged(t *testing.T, s *statefs.Store, prefix string) {
	t.Helper()
	for name := range statefs.Quotas() {
		if name != prefix {
			wantValue(t, s.Prefix(name), "key", name)
			continue
		}
		_, err := s.Prefix(name).Get("key")
		wantRefusal(t, err, refusal.StateDamaged)
	}
}

func TestAnUnreadableValueIsDamaged(t *testing.T) {
	d := populated(t)
	s := open(t, d)
	d.FailAt(1, syscall.EIO)
	_, err := s.Prefix("boot").Get("key")
	wantRefusal(t, err, refusal.StateDamaged)
	wantValue(t, s.Prefix("boot"), "key", "boot")
}

func TestAFreshFolder(t *testing.T) {
	for name, prepare := range map[string]func(*durabletest.Disk){
		"empty":      func(*durabletest.Disk) {},
		"new ext4":   func(d *durabletest.Disk) { d.Mkdir("lost+found") },
		"cut before": func(d *durabletest.Disk) { file(t, d, "statefs.tmp", []byte("half a v")) },
	} {
		t.Run(name, func(t *testing.T) {
			d := durabletest.New()
			prepare(d)
			s := open(t, d)
			if notes := s.Notes(); len(notes) > 0 {
				t.Errorf("a fresh folder is reported: %v", notes)
			}
			put(t, s.Prefix("boot"), "key", "v")
			wantValue(t, open(t, d).Prefix("boot"), "key", "v")
		})
	}
}

func TestAForeignFolderIsLeftAlone(t *testing.T) {
	for name, prepare := range map[string]func(*durabletest.Disk){
		"a file":              func(d *durabletest.Disk) { file(t, d, "holiday.jpg", []byte("x")) },
		"a folder":            func(d *durabletest.Disk) { d.Mkdir("home") },
		"our name, not ours":  func(d *durabletest.Disk) { file(t, d, "statefs", []byte("x")) },
		"a prefix, not ours":  func(d *durabletest.Disk) { d.Mkdir("boot"); file(t, d, "boot/vmlinuz", []byte("x")) },
		"a value, not intact": func(d *durabletest.Disk) { d.Mkdir("boot"); file(t, d, "boot/key.value", []byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			d := durabletest.New()
			prepare(d)
			before := d.Snapshot()
			_, err := statefs.Open(d)
			wantRefusal(t, err, refusal.ForeignState)
			wantSame(t, d, before)
		})
	}
}

func TestANewerLayoutIsLeftAlone(t *testing.T) {
	d := populated(t)
	file(t, d, "statefs", statefs.EncodeValue("statefs", []byte("2")))
	before := d.Snapshot()
	_, err := statefs.Open(d)
	wantRefusal(t, err, refusal.BadSchemaVersion)
	wantSame(t, d, before)
}

// If the mark is damaged or missing, one intact value proves that the folder is ours.
func TestALostMarkIsMended(t *testing.T) {
	for name, lose := range map[string]func(*durabletest.Disk) error{
		"gone":    func(d *durabletest.Disk) error { return d.Remove("statefs") },
		"damaged": func(d *durabletest.Disk) error { return d.Overwrite("statefs", []byte("#!/bin/sh")) },
		"empty":   func(d *durabletest.Disk) error { return d.Overwrite("statefs", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			d := populated(t)
			if err := lose(d); err != nil {
				t.Fatal(err)
			}
			s := open(t, d)
			wantOnlyDamaged(t, s, "")
			if notes := s.Notes(); len(notes) != 1 || !notes[0].Mended {
				t.Errorf("got the notes %v", notes)
			}
			if notes := open(t, d).Notes(); len(notes) > 0 {
				t.Errorf("it was not mended: %v", notes)
			}
		})
	}
}

func TestLeftoversGoAndStrangersStay(t *testing.T) {
	d := populated(t)
	file(t, d, "apps/key.value.tmp", []byte("half"))
	for _, name := range []string{"stranger", "boot/stranger", "boot/Key.value", "boot/stranger.tmp", "boot/a+.value"} {
		file(t, d, name, []byte("x"))
	}
	s := open(t, d)
	if _, err := d.Open("apps/key.value.tmp"); err == nil {
		t.Error("a leftover stayed")
	}
	if notes := s.Notes(); len(notes) != 5 || notes[0].Mended {
		t.Errorf("got the notes %v", notes)
	}
	for _, name := range []string{"stranger", "boot/stranger", "boot/Key.value", "boot/stranger.tmp", "boot/a+.value"} {
		read(t, d, name)
	}
	entries, _, err := s.Prefix("boot").List("", "", 0)
	if err != nil || len(entries) != 1 {
		t.Errorf("the list has %v, %v", entries, err)
	}
}

var update = flag.Bool("update", false, "write golden files that are missing")

// TestGolden compares the files of version 1 with those written when the format was introduced.
func TestGolden(t *testing.T) {
	d := durabletest.New()
	put(t, open(t, d).Prefix("boot"), "record.0", "a value")
	put(t, open(t, d).Prefix("apps"), "hello/empty", "")
	for _, name := range []string{"statefs", "boot/record.0.value", "apps/hello+empty.value"} {
		golden := "testdata/" + strings.ReplaceAll(name, "/", "_")
		if _, err := os.Stat(golden); err != nil && *update {
			if err := os.WriteFile(golden, read(t, d, name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, d, name); !bytes.Equal(got, want) {
			t.Errorf("%s is\n%q\nwant\n%q", name, got, want)
		}
	}
}

// FuzzAnyFile puts any bytes in place of a value: only what was stored is returned.
func FuzzAnyFile(f *testing.F) {
	f.Add(statefs.EncodeValue("boot/key", []byte("value")))
	f.Add([]byte("nxstate1"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := durabletest.New()
		open(t, d)
		file(t, d, "boot/key.value", raw)
		value, err := open(t, d).Prefix("boot").Get("key")
		if err == nil && !bytes.Equal(statefs.EncodeValue("boot/key", value), raw) {
			t.Fatalf("%q was read as %q", raw, value)
		}
	})
}
