package durabletest

import (
	"errors"
	"fmt"
	"syscall"

	"nexus/libupdates/refusal"
)

// ErrCut is the error of every operation after the power was cut.
var ErrCut = errors.New("the power is cut")

// Disk is a durable.FS in memory. It has one user at a time.
//
// Operations are counted from 1, the looking ones too. RemoveAll is as many operations as it removes things, as on a real disk.
type Disk struct {
	root *node
	ops  []string

	cut      bool
	cutAfter int // the power goes after that many operations, if cut is set
	metCut   bool
	failAt   int // the number of the operation that fails; 0 for none
	failErr  error
}

// New returns an empty disk with the power on.
func New() *Disk { return &Disk{root: newDir()} }

// Clone returns a disk with what was issued on this one, all of it durable, and the power on.
func (d *Disk) Clone() *Disk { return &Disk{root: d.root.survive(root, issued(), map[*node]*node{})} }

// CutAfter cuts the power after n more operations: every later one does nothing and fails with ErrCut.
func (d *Disk) CutAfter(n int) { d.cut, d.cutAfter = true, len(d.ops)+n }

// MetCut reports whether an operation came after the cut.
func (d *Disk) MetCut() bool { return d.metCut }

// Resume lifts the cut and forgets nothing: what a process finds that starts after another died, while the power stayed on.
func (d *Disk) Resume() { d.cut = false }

// FailAt makes the n-th operation from now fail with err and do nothing, except that a failing write writes half of its bytes. ENOSPC
// shows as the refusal NoSpace.
func (d *Disk) FailAt(n int, err error) { d.failAt, d.failErr = len(d.ops)+n, err }

// Ops returns the operations so far, one line each: the verb, a space, the name.
func (d *Disk) Ops() []string { return append([]string{}, d.ops...) }

// step counts one operation and says whether it may happen.
func (d *Disk) step(verb, name string) error {
	if d.cut && len(d.ops) >= d.cutAfter {
		d.metCut = true
		return failed(verb, name, ErrCut)
	}
	d.ops = append(d.ops, verb+" "+name)
	if len(d.ops) == d.failAt {
		return failed(verb, name, d.failErr)
	}
	return nil
}

// failed words an error as the adapter for the real file system does.
func failed(verb, name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return refusal.New(refusal.NoSpace, "cannot %s %s: no space left", verb, name)
	}
	return fmt.Errorf("cannot %s %s: %w", verb, name, err)
}
