package durable

import (
	"errors"
	"fmt"
	"io"
)

// MaxCellValue is the maximum size of a Cell's value, in bytes.
const MaxCellValue = 64 << 10

// A CellFile stores a Cell. Reading past the end returns io.EOF; writing past it extends the file.
type CellFile interface {
	io.ReaderAt
	io.WriterAt
	// Sync makes everything written so far durable.
	Sync() error
}

// A Cell stores one small value in one open file, in two halves that are written in turn. A store never touches the
// half with the newest intact value, so a power cut at any byte leaves the old value or the new one. The first store
// writes both halves. So once a store has returned, the value survives damage to either half.
//
// A cell has one owner, which makes one call at a time.
type Cell struct {
	file   CellFile
	newest int // the half with the value; -1 before the first store
	latest copyOf
	fault  error // what was wrong when the cell was opened
}

// ErrDamaged means that a value was stored, but neither copy of it is intact.
var ErrDamaged = errors.New("both copies are damaged")

// OpenCell reads both halves. A file without a completed store has no value. If both copies are damaged, the error is
// ErrDamaged.
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
	// The second half is only blank until the first store has completed. So while it is blank, nothing was ever stored.
	if c.newest < 0 && states[1] != blank {
		return nil, fmt.Errorf("cannot read cell: %w", ErrDamaged)
	}
	c.fault = c.faultOf(states)
	return c, nil
}

// faultOf returns what is wrong with the copy that is not the newest. If the second copy is blank next to the very
// first one, that is no fault: the first store was interrupted.
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

// Fault returns what was wrong with one of the two copies when the cell was opened, or nil. With a fault, the value may
// be the newest or the one before. Storing the value again repairs the copy.
func (c *Cell) Fault() error { return c.fault }

// ResetCell returns a cell without a value, whatever the file holds, for an owner that can start over after OpenCell
// found both copies damaged. It does not touch the file before the first store.
func ResetCell(f CellFile) *Cell { return &Cell{file: f, newest: -1} }

// Load returns the newest value, which the caller may keep and modify. The bool is false before the first store.
func (c *Cell) Load() ([]byte, bool) {
	if c.newest < 0 {
		return nil, false
	}
	return append([]byte{}, c.latest.value...), true
}

// Store replaces the value, of at most MaxCellValue bytes, and returns when it is durable. After an error this cell
// keeps the old value, but the next OpenCell of the file may find the new one.
func (c *Cell) Store(value []byte) error {
	if len(value) > MaxCellValue {
		return fmt.Errorf("cannot store value: %d bytes, want at most %d", len(value), MaxCellValue)
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

// StoreTwice stores the value in both halves, one after the other. Once it has returned, this very value survives
// damage to either half, not only the one before it. After a power cut or an error, each half holds the old value or
// the new one; if either holds the new one, that is the value.
func (c *Cell) StoreTwice(value []byte) error {
	first := c.newest < 0 // then Store writes both halves
	if err := c.Store(value); err != nil || first {
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
