package durable

import (
	"errors"
	"fmt"
	"io"
)

// MaxCellValue bounds the value of a Cell, in bytes.
const MaxCellValue = 64 << 10

// CellFile is what a Cell needs of its file: a memory file now, a file or partition on disk later. Reading past the end
// is io.EOF, writing past it makes the file longer.
type CellFile interface {
	io.ReaderAt
	io.WriterAt
	// Sync makes what was written durable.
	Sync() error
}

// Cell keeps one small value in one open file, in two halves that are written in turn: a store never touches the half
// that holds the newest intact value, so a cut at any byte of it leaves the old value or the new one. The first store
// writes both halves; so once a store has returned, either half may be damaged and the value is still there.
//
// A cell has one owner, which makes one call at a time.
type Cell struct {
	file   CellFile
	newest int // which half holds the value; -1 before the first store
	latest copyOf
	fault  error // what was wrong when it was opened
}

// ErrDamaged means that a value was stored and neither copy of it is intact.
var ErrDamaged = errors.New("both copies are damaged")

// OpenCell reads both halves. A file in which no store was ever completed holds no value; where both copies are damaged
// the error is ErrDamaged.
func OpenCell(f CellFile) (*Cell, error) {
	c := &Cell{file: f, newest: -1}
	var states [2]state
	for i := range states {
		half, state, err := readCopy(f, i)
		if err != nil {
			return nil, fmt.Errorf("cannot read cell: %w", err)
		}
		states[i] = state
		if state == intact && (c.newest < 0 || half.generation > c.latest.generation) {
			c.newest, c.latest = i, half
		}
	}
	// The second half is blank only until the first store is over, so nothing was ever stored while it is.
	if c.newest < 0 && states[1] != blank {
		return nil, fmt.Errorf("cannot read cell: %w", ErrDamaged)
	}
	c.fault = c.faultOf(states)
	return c, nil
}

// faultOf says what is wrong with the copy that is not the newest. A second copy that is blank beside the very first
// one is none: the first store was cut.
func (c *Cell) faultOf(states [2]state) error {
	if c.newest < 0 {
		return nil
	}
	other := 1 - c.newest
	switch {
	case states[other] == damaged:
		return fmt.Errorf("copy %d is damaged", other)
	case states[other] == blank && (other == 0 || c.latest.generation > 1):
		return fmt.Errorf("copy %d is missing", other)
	}
	return nil
}

// Fault says what was wrong with one of two copies when the cell was opened; nil: nothing, and either is the newest
// value or the one before. An owner who stores the value again mends it.
func (c *Cell) Fault() error { return c.fault }

// ResetCell is a cell in which nothing was stored, whatever the file holds: for an owner that knows how to begin again
// where OpenCell found both copies damaged. The file is not touched before the first store.
func ResetCell(f CellFile) *Cell { return &Cell{file: f, newest: -1} }

// Load returns the newest value; the caller may keep and change it. The bool is false before the first store.
func (c *Cell) Load() ([]byte, bool) {
	if c.newest < 0 {
		return nil, false
	}
	return append([]byte{}, c.latest.value...), true
}

// Store replaces the value, at most MaxCellValue bytes, and returns when it is durable. After an error the old value
// still counts for this cell; the next one to open the file may find the new value.
func (c *Cell) Store(value []byte) error {
	if len(value) > MaxCellValue {
		return fmt.Errorf("cannot store value: %d bytes are more than %d", len(value), MaxCellValue)
	}
	next := copyOf{generation: c.latest.generation + 1, value: append([]byte{}, value...)}
	target := 1 - c.newest
	if c.newest < 0 {
		if err := c.write(0, next); err != nil {
			return err
		}
		target = 1
		next.generation++
	}
	if err := c.write(target, next); err != nil {
		return err
	}
	c.newest, c.latest = target, next
	return nil
}

// StoreTwice is Store into both halves, one after the other: once it has returned, either half may be damaged and this
// very value is still there, not only the one before it. After a cut or an error each half holds the old value or the
// new one, and the new one counts where it is.
func (c *Cell) StoreTwice(value []byte) error {
	if err := c.Store(value); err != nil {
		return err
	}
	return c.Store(value)
}

func (c *Cell) write(half int, next copyOf) error {
	if _, err := c.file.WriteAt(next.encode(), offsetOf(half)); err != nil {
		return fmt.Errorf("cannot store value: %w", err)
	}
	if err := c.file.Sync(); err != nil {
		return fmt.Errorf("cannot store value: %w", err)
	}
	return nil
}
