package statefs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

// A fullDisk has no space for anything new as long as its content exceeds its capacity.
type fullDisk struct {
	*durabletest.Disk
	taken map[string]int64 // space, by file
	free  int64
	lost  bool // what is given back goes to somebody else, as where a file system keeps the last blocks for root
}

func newFullDisk(free int64) *fullDisk {
	return &fullDisk{durabletest.New(), map[string]int64{}, free, false}
}

func (d *fullDisk) Create(name string, perm os.FileMode) (durable.File, error) {
	d.give(name)
	f, err := d.Disk.Create(name, perm)
	return &fullFile{f, d, name, 0}, err
}

func (d *fullDisk) Reopen(name string) (durable.File, error) {
	f, err := d.Disk.Reopen(name)
	return &fullFile{f, d, name, 0}, err
}

func (d *fullDisk) RemoveAll(name string) error {
	d.give(name)
	return d.Disk.RemoveAll(name)
}

func (d *fullDisk) Rename(from, to string) error {
	d.give(to)
	d.taken[to] = d.taken[from]
	delete(d.taken, from)
	return d.Disk.Rename(from, to)
}

func (d *fullDisk) give(name string) {
	if !d.lost {
		d.free += d.taken[name]
	}
	delete(d.taken, name)
}

// hold makes the space of a file at least that large.
func (d *fullDisk) hold(name string, size int64) error {
	more := size - d.taken[name]
	if more > d.free {
		return refusal.New(refusal.NoSpace, "no space left")
	}
	if more > 0 {
		d.free -= more
		d.taken[name] = size
	}
	return nil
}

type fullFile struct {
	durable.File
	disk *fullDisk
	name string
	at   int64
}

func (f *fullFile) Write(p []byte) (int, error) {
	err := f.disk.hold(f.name, f.at+int64(len(p)))
	if err != nil {
		p = p[:max(f.disk.taken[f.name]-f.at, 0)] // what fits
	}
	n, wrote := f.File.Write(p)
	f.at += int64(n)
	return n, errors.Join(err, wrote)
}

func (f *fullFile) Reserve(size int64) error {
	if err := f.disk.hold(f.name, size); err != nil {
		return err
	}
	return f.File.Reserve(size)
}

// On a disk that others have filled, the boot record can still be stored, any number of times and whether it grows or
// shrinks, even if no space that is given back can be taken again. Other values are refused and keep their old content.
func TestAFullDisk(t *testing.T) {
	for _, lost := range []bool{false, true} {
		d := newFullDisk(1 << 20)
		s := open(t, d)
		apps, stored := s.Prefix("apps"), cellOn(t, d)
		for _, size := range []int{9000, 100} {
			must(t, stored.StoreTwice(make([]byte, size)))
		}
		put(t, apps, "key", "old")
		d.free, d.lost = 0, lost // others came
		wantRefusal(t, apps.Put("key", []byte("new")), refusal.NoSpace)
		wantValue(t, apps, "key", "old")
		for i, size := range []int{100, 99, 5000, 10, durable.MaxCellValue, 0, 20000, 1} {
			want := strings.Repeat(fmt.Sprint(i), size)
			must(t, stored.StoreTwice([]byte(want)))
			if got, _ := cellOn(t, d).Load(); string(got) != want {
				t.Fatalf("lost %t: the record is %.20q, of %d bytes, want %.20q", lost, got, len(got), want)
			}
			wantRefusal(t, apps.Put("key", []byte("new")), refusal.NoSpace)
		}
		if notes := open(t, d).Notes(); len(notes) > 0 {
			t.Errorf("a full disk is reported: %v", notes)
		}
		wantValue(t, open(t, d).Prefix("apps"), "key", "old")
		d.free, d.lost = 1<<20, false // they went
		must(t, stored.StoreTwice([]byte("as before")))
		if raw := read(t, d, "boot/record.0.value"); len(raw) > 200 {
			t.Errorf("with space again the record takes %d bytes", len(raw))
		}
	}
}

// A reserved value that has no room for a longer one, and no space beside it, stays as it was.
func TestAFullDiskWithoutRoom(t *testing.T) {
	d := newFullDisk(4 << 10)
	boot := open(t, d).Prefix("boot")
	put(t, boot, "key", "fits")
	wantRefusal(t, boot.Put("key", make([]byte, 8<<10)), refusal.NoSpace)
	wantValue(t, boot, "key", "fits")
	put(t, boot, "key", "fits, too")
	d.free = 0
	wantRefusal(t, boot.Put("key", make([]byte, 8<<10)), refusal.NoSpace)
	wantRefusal(t, boot.Put("key", []byte("short")), refusal.NoSpace)
	wantRefusal(t, boot.Put("another", []byte("new")), refusal.NoSpace)
	wantValue(t, open(t, d).Prefix("boot"), "key", "fits, too")
}

// A cut while a copy is written over on a full disk costs that copy at most: the record is the old one or the new one.
func TestCutTheRecordOnAFullDisk(t *testing.T) {
	for n, done := 0, false; !done; n++ {
		for _, outcome := range durabletest.Outcomes() {
			d := newFullDisk(1 << 20)
			stored := cellOn(t, d)
			must(t, stored.StoreTwice([]byte("the old one")))
			d.free, d.lost = 0, true
			must(t, stored.StoreTwice([]byte("old")))
			d.CutAfter(n)
			done = stored.StoreTwice([]byte("new")) == nil && !d.MetCut()
			got, _ := cellOn(t, d.Reboot(outcome)).Load()
			if string(got) != "new" && (done || string(got) != "old") {
				t.Fatalf("cut after operation %d, %s: the record is %.20q", n, outcome.Name, got)
			}
		}
	}
}

// Space that an earlier version kept in a file of its own is given back.
func TestAnEarlierReserve(t *testing.T) {
	d := durabletest.New()
	open(t, d)
	file(t, d, "statefs.reserve", make([]byte, 1<<10))
	if notes := open(t, d).Notes(); len(notes) > 0 {
		t.Errorf("it is reported: %v", notes)
	}
	if _, err := d.Open("statefs.reserve"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
