package statedisk

import (
	"bytes"
	"errors"
	"maps"
	"slices"
)

// errCut is the error of every operation after the cut.
var errCut = errors.New("the power is off")

// A testDisk has a write-back cache: what was written since the last sync may be lost, each sector independently.
type testDisk struct {
	durable []byte
	cache   map[int64][]byte // sectors that were written since, by their offset
	left    int              // operations until the power is cut; below zero: never
}

func blank(size int64) *testDisk {
	return &testDisk{durable: make([]byte, size), cache: map[int64][]byte{}, left: -1}
}

// holding returns a blank disk with some bytes on it.
func holding(size, offset int64, text string) *testDisk {
	d := blank(size)
	copy(d.durable[offset:], text)
	return d
}

func (d *testDisk) step() error {
	if d.left == 0 {
		return errCut
	}
	d.left--
	return nil
}

func (d *testDisk) ReadAt(p []byte, offset int64) (int, error) {
	n, err := bytes.NewReader(d.durable).ReadAt(p, offset)
	for at, data := range d.cache {
		if at+sector > offset && at < offset+int64(n) {
			from, to := max(at, offset), min(at+sector, offset+int64(n))
			copy(p[from-offset:to-offset], data[from-at:to-at])
		}
	}
	return n, err
}

// WriteAt accepts only whole sectors.
func (d *testDisk) WriteAt(p []byte, offset int64) (int, error) {
	if err := d.step(); err != nil {
		return 0, err
	}
	for at := int64(0); at < int64(len(p)); at += sector {
		d.cache[offset+at] = bytes.Clone(p[at : at+sector])
	}
	return len(p), nil
}

func (d *testDisk) Sync() error {
	if err := d.step(); err != nil {
		return err
	}
	*d = *d.after(func(int) bool { return true }).leaving(d.left)
	return nil
}

func (d *testDisk) leaving(n int) *testDisk { d.left = n; return d }

// after returns the disk after a cut that only the kept sectors of the cache survive; they are numbered in the order of
// their offsets.
func (d *testDisk) after(keep func(i int) bool) *testDisk {
	next := &testDisk{durable: bytes.Clone(d.durable), cache: map[int64][]byte{}, left: -1}
	for i, at := range slices.Sorted(maps.Keys(d.cache)) {
		if keep(i) {
			copy(next.durable[at:], d.cache[at])
		}
	}
	return next
}
