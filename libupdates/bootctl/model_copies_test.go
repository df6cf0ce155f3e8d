package bootctl_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
)

// copiesKey is what decides about what a start can read.
type copiesKey struct {
	kept, spare recordKey
	state       spareState
}

func (d device) copiesKey() copiesKey {
	return copiesKey{keyOf(d.kept), keyOf(d.spare.record), d.spare.state}
}

// readCopies makes the two copies of every state, by the code that makes them on a device, and reads them by the code
// that reads them at boot: as they are, with each copy damaged in turn, and with both.
func (s *search) readCopies(t *testing.T) {
	for _, d := range s.copies {
		d.readCopies(t)
		if t.Failed() {
			return
		}
	}
}

// readCopies holds what a start reads against the model.
func (d device) readCopies(t *testing.T) {
	t.Helper()
	file := &cellFile{}
	first := d.kept
	if d.spare.state == older {
		first = d.spare.record
	}
	cell, err := durable.OpenCell(file)
	must{t}.ok(err)
	must{t}.ok(cell.Store(encode(t, first)))
	if d.spare.state == older {
		must{t}.ok(cell.Store(encode(t, d.kept)))
	}
	switch d.spare.state {
	case newer:
		file.fail = "sync"
		wantError(t, cell.Store(encode(t, d.spare.record)))
	case torn:
		file.fail = "write"
		wantError(t, cell.Store(encode(t, d.kept)))
	}
	file.fail = ""

	newest, other, readable := d.copies()
	half := file.last
	wantRecord(t, file, newest)
	wantRecord(t, file.damaged(1-half), newest)
	if readable == 2 {
		wantRecord(t, file.damaged(half), other)
	} else {
		wantDamaged(t, file.damaged(half))
	}
	wantDamaged(t, file.damaged(half).damaged(1-half))
}

func wantError(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errMedium) {
		t.Errorf("got error %v, want the medium's", err)
	}
}

func wantRecord(t *testing.T, file *cellFile, want bootctl.Record) {
	t.Helper()
	cell, err := durable.OpenCell(file)
	if err != nil {
		t.Errorf("cannot open: %v", err)
		return
	}
	raw, _ := cell.Load()
	got, err := bootctl.Decode(raw)
	if err != nil || keyOf(got) != keyOf(want) || got.Boot != want.Boot || got.StageSerial != want.StageSerial {
		t.Errorf("read %+v (%v), want %+v", keyOf(got), err, keyOf(want))
	}
}

func wantDamaged(t *testing.T, file *cellFile) {
	t.Helper()
	if _, err := durable.OpenCell(file); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("got error %v, want %v", err, durable.ErrDamaged)
	}
}

var errMedium = errors.New("the medium failed")

// halfOf is where the second copy begins; the first begins at 0 (libupdates/durable).
const halfOf = durable.MaxCellValue + 4096

// A cellFile is a cell's file in memory. It keeps the bytes that were written, and fails on demand.
type cellFile struct {
	halves [2][]byte
	fail   string // what fails next: "write" after half of its bytes, "sync" after all
	last   int    // the half that was written whole last, so the newest one
}

func (f *cellFile) ReadAt(p []byte, off int64) (int, error) {
	half := f.halves[off/halfOf]
	if at := int(off % halfOf); at < len(half) {
		return shortRead(copy(p, half[at:]), len(p))
	}
	return 0, io.EOF
}

func shortRead(n, want int) (int, error) {
	if n < want {
		return n, io.EOF
	}
	return n, nil
}

func (f *cellFile) WriteAt(p []byte, off int64) (int, error) {
	half := int(off / halfOf)
	if f.fail == "write" {
		f.halves[half] = bytes.Clone(p[:len(p)/2])
		return len(p) / 2, errMedium
	}
	f.halves[half], f.last = bytes.Clone(p), half
	return len(p), nil
}

func (f *cellFile) Sync() error {
	if f.fail == "sync" {
		return errMedium
	}
	return nil
}

// damaged returns the file with one bit of one copy turned, in the middle of it.
func (f *cellFile) damaged(half int) *cellFile {
	g := &cellFile{halves: f.halves}
	raw := bytes.Clone(f.halves[half])
	raw[len(raw)/2] ^= 1
	g.halves[half] = raw
	return g
}
