package durable

import (
	"errors"
	"io"
)

// Halves stores the two halves of a cell apart, each under its own name, so that one failing medium affects only one
// half.
type Halves interface {
	// Load returns half 0 or 1 as it was stored, or no bytes if it never was. ErrDamaged means that this half does not
	// hold what was stored; the cell goes on with the other half. Any other error is an error of the cell.
	Load(half int) ([]byte, error)
	// Store replaces a half in one step. Sync makes it durable.
	Store(half int, raw []byte) error
	Sync() error
}

// Apart returns a CellFile that is stored in two separate halves.
func Apart(h Halves) CellFile { return apart{h} }

type apart struct{ Halves }

// damagedHalf is read in place of a damaged half: it is neither blank nor a valid copy.
const damagedHalf = "this half is damaged"

func (a apart) ReadAt(p []byte, off int64) (int, error) {
	raw, err := a.Load(int(off / halfSize))
	switch {
	case errors.Is(err, ErrDamaged):
		raw = []byte(damagedHalf)
	case err != nil:
		return 0, err
	}
	rest := raw[min(off%halfSize, int64(len(raw))):]
	n := copy(p, rest)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes a whole half. A cell never writes less.
func (a apart) WriteAt(p []byte, off int64) (int, error) {
	if off%halfSize != 0 {
		return 0, errors.New("cannot write part of a half")
	}
	if err := a.Store(int(off/halfSize), p); err != nil {
		return 0, err
	}
	return len(p), nil
}
