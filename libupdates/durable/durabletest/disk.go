package durabletest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// ErrCut is the error of every operation after the power was cut.
var ErrCut = errors.New("the power is cut")

// Disk is a durable.FS in memory. It has one user at a time; open files may be read and written by several.
//
// Operations are counted from 1, the looking ones too. RemoveAll is as many operations as it removes things, as on a
// real disk.
type Disk struct {
	root *node

	mu  sync.Mutex // for what is done to open files: ops, and the bytes of what is written
	ops []string

	cut      bool
	cutAfter int // the power goes after that many operations, if cut is set
	metCut   bool
	failAt   int // the number of the operation that fails; 0 for none
	failErr  error
	failLong bool // whether every later change fails too
}

// New returns an empty disk with the power on.
func New() *Disk { return &Disk{root: newDir()} }

// Clone returns a disk with what was issued on this one, all of it durable, and the power on.
func (d *Disk) Clone() *Disk {
	all := survival{
		names: func(_ string, n *node) names { return n.entries },
		bytes: func(_ string, n *node) []byte { return n.data },
		nodes: map[*node]*node{},
	}
	return &Disk{root: d.root.survive(root, all)}
}

// CutAfter cuts the power after n more operations: every later one does nothing and fails with ErrCut.
func (d *Disk) CutAfter(n int) { d.cut, d.cutAfter = true, len(d.ops)+n }

// MetCut reports whether an operation came after the cut.
func (d *Disk) MetCut() bool { return d.metCut }

// Resume lifts the cut and forgets nothing: what a process finds that starts after another died, while the power stayed
// on.
func (d *Disk) Resume() { d.cut = false }

// FailAt makes the n-th operation from now fail with err and do nothing, except that a failing write writes half of its
// bytes. ENOSPC shows as the refusal NoSpace.
func (d *Disk) FailAt(n int, err error) { d.failAt, d.failErr, d.failLong = len(d.ops)+n, err, false }

// FailFrom is FailAt for the n-th operation and every change after it, as on a disk that is full or worn out. A full
// one (ENOSPC) still removes things, and syncs.
func (d *Disk) FailFrom(n int, err error) { d.failAt, d.failErr, d.failLong = len(d.ops)+n, err, true }

// Heal ends a failure.
func (d *Disk) Heal() { d.failAt, d.failLong = 0, false }

// Ops returns the operations so far, one line each: the verb, a space, the name.
func (d *Disk) Ops() []string { return append([]string{}, d.ops...) }

// Changes returns the numbers of the operations so far that changed something or made it durable, in order. A cut after
// any other one leaves what a cut after the last of these leaves.
func (d *Disk) Changes() []int {
	var numbers []int
	for i, op := range d.ops {
		if verb, _, _ := strings.Cut(op, " "); changes(verb) {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// changes tells the verbs that change something from those that look.
func changes(verb string) bool {
	switch verb {
	case "open", "read", "list", "close":
		return false
	}
	return true
}

// step counts one operation and says whether it may happen.
func (d *Disk) step(verb, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count(verb, name)
}

// count is step for who has the lock.
func (d *Disk) count(verb, name string) error {
	if d.cut && len(d.ops) >= d.cutAfter {
		d.metCut = true
		return failed(verb, name, ErrCut)
	}
	d.ops = append(d.ops, verb+" "+name)
	if len(d.ops) == d.failAt || d.failsOn(verb) {
		return failed(verb, name, d.failErr)
	}
	return nil
}

// failsOn reports whether a change fails because one before it did.
func (d *Disk) failsOn(verb string) bool {
	if !d.failLong || len(d.ops) < d.failAt || !changes(verb) {
		return false
	}
	full := errors.Is(d.failErr, syscall.ENOSPC)
	return !full || (verb != "remove" && verb != "sync" && verb != "syncdir")
}

// failed words an error as the adapter for the real file system does.
func failed(verb, name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return refusal.New(refusal.NoSpace, "cannot %s %s: no space left", verb, name)
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ELOOP) {
		err = fmt.Errorf("%w: %w", durable.ErrKind, err)
	}
	return fmt.Errorf("cannot %s %s: %w", verb, name, err)
}
