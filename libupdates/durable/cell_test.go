package durable_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"nexus/libupdates/durable"
)

// memory is a CellFile whose power may fail during a write: it takes only the first `power` bytes, then fails.
type memory struct {
	data    []byte
	powered bool
	power   int
	syncErr error
}

func newMemory(data []byte) *memory { return &memory{data: bytes.Clone(data)} }

var errPower = errors.New("no power")

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m.data)) {
		return 0, io.EOF
	}
	n := copy(p, m.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if m.powered && len(p) > m.power {
		p = p[:m.power]
	}
	if grow := int(off) + len(p) - len(m.data); grow > 0 && len(p) > 0 {
		m.data = append(m.data, make([]byte, grow)...)
	}
	copy(m.data[off:], p)
	if m.powered {
		m.power -= len(p)
		if m.power == 0 {
			return len(p), errPower
		}
	}
	return len(p), nil
}

func (m *memory) Sync() error { return m.syncErr }

func openCell(t *testing.T, f durable.CellFile) *durable.Cell {
	t.Helper()
	c, err := durable.OpenCell(f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantValue(t *testing.T, c *durable.Cell, want string) {
	t.Helper()
	if got, ok := c.Load(); !ok || string(got) != want {
		t.Fatalf("got %.40q (%v), want %.40q", got, ok, want)
	}
}

func store(t *testing.T, c *durable.Cell, value string) {
	t.Helper()
	if err := c.Store([]byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestCellKeepsTheNewestValue(t *testing.T) {
	f := newMemory(nil)
	c := openCell(t, f)
	if got, ok := c.Load(); ok || got != nil {
		t.Fatalf("a new cell holds %q", got)
	}
	for _, value := range []string{"one", "", "three", "a much longer fourth value", "5"} {
		store(t, c, value)
		wantValue(t, c, value)
		wantValue(t, openCell(t, f), value)
	}
}

func TestCellLimit(t *testing.T) {
	f := newMemory(nil)
	c := openCell(t, f)
	largest := string(bytes.Repeat([]byte{'x'}, durable.MaxCellValue))
	store(t, c, largest)
	store(t, c, largest)
	if err := c.Store([]byte(largest + "x")); err == nil {
		t.Error("a value over the limit was stored")
	}
	wantValue(t, openCell(t, f), largest)
}

// A power cut at any byte of a store leaves the old value or the new one, and the next store works.
func TestCellCutAtEveryByte(t *testing.T) {
	histories := map[string][]string{
		"first store":  {},
		"second store": {"old value"},
		"third store":  {"older value", "old value"},
	}
	for name, history := range histories {
		t.Run(name, func(t *testing.T) {
			f := newMemory(nil)
			c, old := openCell(t, f), ""
			for _, value := range history {
				store(t, c, value)
				old = value
			}
			for power := 1; ; power++ {
				cut := newMemory(f.data)
				cut.powered, cut.power = true, power
				if err := openCell(t, cut).Store([]byte("new value")); err == nil {
					return // the whole store needs less power
				}
				after := newMemory(cut.data)
				c := openCell(t, after)
				got, ok := c.Load()
				if isOld := ok == (len(history) > 0) && string(got) == old; !isOld && string(got) != "new value" {
					t.Fatalf("cut after %d bytes: got %q (%v)", power, got, ok)
				}
				store(t, c, "next value")
				wantValue(t, openCell(t, after), "next value")
			}
		})
	}
}

// Once a store has returned, damage to either half leaves a value: the same one if it was the first store.
func TestCellDamage(t *testing.T) {
	f := newMemory(nil)
	store(t, openCell(t, f), "only value")
	half := bytes.LastIndex(f.data, []byte("nxcell1"))
	if half <= 0 {
		t.Fatal("the first store did not write both halves")
	}
	size := len(f.data) - half // of one copy
	for i := range size {
		for _, start := range []int{0, half} {
			damaged := newMemory(f.data)
			damaged.data[start+i] ^= 0x10
			wantValue(t, openCell(t, damaged), "only value")
		}
	}
	both := newMemory(f.data)
	both.data[size-1]++
	both.data[len(f.data)-1]++
	if _, err := durable.OpenCell(both); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("both halves damaged: got %v, want ErrDamaged", err)
	}
	if _, err := durable.OpenCell(newMemory(bytes.Repeat([]byte{0xff}, 1<<18))); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("no cell at all: got %v, want ErrDamaged", err)
	}
}

func TestCellKeepsTheOldValueWhenAStoreFails(t *testing.T) {
	f := newMemory(nil)
	c := openCell(t, f)
	store(t, c, "old")
	f.syncErr = errors.New("input/output error")
	if err := c.Store([]byte("new")); !errors.Is(err, f.syncErr) {
		t.Fatalf("got %v, want the cause", err)
	}
	wantValue(t, c, "old")
	f.syncErr = nil
	store(t, c, "newer")
	wantValue(t, openCell(t, f), "newer")
}

func TestLoadedValueIsTheCallersOwn(t *testing.T) {
	c := openCell(t, newMemory(nil))
	value := []byte("value")
	if err := c.Store(value); err != nil {
		t.Fatal(err)
	}
	value[0] = 'X'
	got, _ := c.Load()
	got[1] = 'X'
	wantValue(t, c, "value")
}

func FuzzOpenCell(f *testing.F) {
	whole := newMemory(nil)
	c, err := durable.OpenCell(whole)
	if err != nil {
		f.Fatal(err)
	}
	if err := c.Store([]byte("value")); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.data[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		file := newMemory(raw)
		c, err := durable.OpenCell(file)
		if err != nil {
			return
		}
		store(t, c, "stored")
		wantValue(t, openCell(t, file), "stored")
	})
}

// A missing or damaged copy is reported until the value is stored again. A copy that is one store behind is neither.
func TestCellFault(t *testing.T) {
	f := newMemory(nil)
	store(t, openCell(t, f), "first")
	cutShort := newMemory(f.data[:durable.MaxCellValue]) // the first store was cut between its copies
	wantFault(t, openCell(t, cutShort), "")
	store(t, openCell(t, f), "second")
	wantFault(t, openCell(t, f), "")
	for name, half := range map[string]int{"copy 0": 0, "copy 1": durable.MaxCellValue + 4096} {
		damaged := newMemory(f.data)
		damaged.data[half+8] ^= 1
		wantFault(t, openCell(t, damaged), name+" is damaged")
		gone := newMemory(f.data)
		clear(gone.data[half:min(half+durable.MaxCellValue, len(gone.data))])
		c := openCell(t, gone)
		wantFault(t, c, name+" is missing")
		store(t, c, "third")
		wantFault(t, openCell(t, gone), "")
	}
}

func wantFault(t *testing.T, c *durable.Cell, want string) {
	t.Helper()
	got := ""
	if err := c.Fault(); err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("got fault %q, want %q", got, want)
	}
}
