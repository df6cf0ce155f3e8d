package durable

import (
	"errors"
	"io"
)

// Halves is where the two halves of a cell are kept apart, each under a name of its own: one medium that fails takes
// one half.
type Halves interface {
	// Load returns half 0 or 1 as it was stored; no bytes where nothing ever was. ErrDamaged says that what is there is
	// not what was stored, which is a state of that half; any other error is the cell's.
	Load(half int) ([]byte, error)
	// Store replaces a half in one step; Sync makes it durable.
	Store(half int, raw []byte) error
	Sync() error
}

// Apart returns a CellFile over halves that are kept apart.
func Apart(h Halves) CellFile { return apart{h} }

type apart struct{ Halves }

// damagedHalf stands for a half that cannot be read: it is neither blank nor a copy.
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

// WriteAt takes a whole half: a cell writes no less.
func (a apart) WriteAt(p []byte, off int64) (int, error) {
	if off%halfSize != 0 {
		return 0, errors.New("cannot write part of a half")
	}
	if err := a.Store(int(off/halfSize), p); err != nil {
		return 0, err
	}
	return len(p), nil
}
