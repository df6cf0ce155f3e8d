package statefs_test

import (
	"fmt"
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
	spare map[string]int64 // space taken, by file
	free  int64
}

func (d *fullDisk) Create(name string, perm os.FileMode) (durable.File, error) {
	f, err := d.Disk.Create(name, perm)
	return &fullFile{f, d, name}, err
}

func (d *fullDisk) RemoveAll(name string) error {
	d.give(name)
	return d.Disk.RemoveAll(name)
}

func (d *fullDisk) Rename(from, to string) error {
	d.give(to)
	d.spare[to] = d.spare[from]
	delete(d.spare, from)
	return d.Disk.Rename(from, to)
}

func (d *fullDisk) give(name string) {
	d.free += d.spare[name]
	delete(d.spare, name)
}

func (d *fullDisk) take(name string, size int64) error {
	if size > d.free {
		return refusal.New(refusal.NoSpace, "no space left")
	}
	d.free -= size
	d.spare[name] += size
	return nil
}

type fullFile struct {
	durable.File
	disk *fullDisk
	name string
}

func (f *fullFile) Write(p []byte) (int, error) {
	if err := f.disk.take(f.name, int64(len(p))); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *fullFile) Allocate(size int64) error {
	if err := f.disk.take(f.name, size); err != nil {
		return err
	}
	return f.File.Allocate(size)
}

// On a disk that others have filled, the boot record can still be written, any number of times; other values are
// refused and keep their old content.
func TestAFullDisk(t *testing.T) {
	d := &fullDisk{durabletest.New(), map[string]int64{}, 1 << 20}
	s := open(t, d)
	boot, apps := s.Prefix("boot"), s.Prefix("apps")
	put(t, boot, "record.0", strings.Repeat("0", 64<<10))
	put(t, boot, "record.1", strings.Repeat("0", 64<<10))
	put(t, apps, "key", "old")
	d.free = 0 // others came
	wantRefusal(t, apps.Put("key", []byte("new")), refusal.NoSpace)
	wantValue(t, apps, "key", "old")
	for i := range 10 {
		value := strings.Repeat(fmt.Sprint(i), 64<<10)
		for _, key := range []string{"record.0", "record.1"} {
			put(t, boot, key, value)
			wantValue(t, boot, key, value)
		}
		wantRefusal(t, apps.Put("key", []byte("new")), refusal.NoSpace)
	}
	if f, err := d.Open("statefs.reserve"); err != nil {
		t.Error("the reserve was not made again: ", err)
	} else {
		f.Close()
	}
	if notes := open(t, d).Notes(); len(notes) > 0 {
		t.Errorf("a full disk is reported: %v", notes)
	}
	wantValue(t, open(t, d).Prefix("apps"), "key", "old")
}

func TestAFolderOnAFullDisk(t *testing.T) {
	d := &fullDisk{durabletest.New(), map[string]int64{}, 4 << 10}
	s := open(t, d)
	if notes := s.Notes(); len(notes) != 1 || !strings.Contains(notes[0].Text, "no space") {
		t.Errorf("got the notes %v", notes)
	}
	put(t, s.Prefix("boot"), "key", "fits")
	wantRefusal(t, s.Prefix("boot").Put("big", make([]byte, 8<<10)), refusal.NoSpace)
	wantValue(t, s.Prefix("boot"), "key", "fits")
}
