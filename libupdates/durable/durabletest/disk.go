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

// ErrCut is the error of every operation after the power cut.
var ErrCut = errors.New("the power is cut")

// A Disk is a durable.FS in memory, which several goroutines may use at once. What looks at the disk as a whole, cuts
// the power or makes operations fail is for a time when nothing else runs.
//
// Operations, including reads, are counted from 1. RemoveAll counts one operation for each thing it removes, as on a
// real disk.
type Disk struct {
	root *node

	mu  sync.Mutex // protects the nodes and ops during an operation
	ops []string

	verity   verity
	cut      bool
	cutAfter int // if cut is set, the power fails after that many operations
	metCut   bool
	failAt   int // number of the failing operation; 0 for none
	failErr  error
	failLong bool // every later change fails as well
}

// New returns an empty disk with the power on. Its file system has no fs-verity.
func New() *Disk { return &Disk{root: newDir()} }

// Clone returns a disk with everything that was written to this one, made durable, and with the power on.
func (d *Disk) Clone() *Disk {
	all := survival{
		names: func(_ string, n *node) names { return n.entries },
		bytes: func(_ string, n *node) []byte { return n.data },
		seals: func(string, *node) bool { return true },
		nodes: map[*node]*node{},
	}
	return &Disk{root: d.root.survive(root, all), verity: d.verity}
}

// CutAfter cuts the power after n more operations: all later ones do nothing and fail with ErrCut.
func (d *Disk) CutAfter(n int) { d.cut, d.cutAfter = true, len(d.ops)+n }

// MetCut reports whether an operation was tried after the cut.
func (d *Disk) MetCut() bool { return d.metCut }

// Resume ends the cut without losing anything, as for a process that starts after another one died while the power
// stayed on.
func (d *Disk) Resume() { d.cut = false }

// FailAt makes the n-th operation from now fail with err and do nothing, except that a failing write writes half of its
// bytes. ENOSPC becomes the refusal NoSpace.
func (d *Disk) FailAt(n int, err error) { d.failAt, d.failErr, d.failLong = len(d.ops)+n, err, false }

// FailFrom is FailAt for the n-th operation and every later change, as on a disk that is full or worn out. A full one
// (ENOSPC) can still remove and sync.
func (d *Disk) FailFrom(n int, err error) { d.failAt, d.failErr, d.failLong = len(d.ops)+n, err, true }

// Heal ends a failure.
func (d *Disk) Heal() { d.failAt, d.failLong = 0, false }

// Ops returns the operations so far, one line each: verb, space, name.
func (d *Disk) Ops() []string { return append([]string{}, d.ops...) }

// Changes returns the numbers of the operations so far that changed something or made it durable, in order. A cut after
// any other operation has the same effect as one after the last of these before it.
func (d *Disk) Changes() []int {
	var numbers []int
	for i, op := range d.ops {
		if verb, _, _ := strings.Cut(op, " "); changes(verb) {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// changes reports whether the verb changes something.
func changes(verb string) bool {
	switch verb {
	case "open", "read", "list", "close":
		return false
	}
	return true
}

// step counts one operation and returns an error if it must fail.
func (d *Disk) step(verb, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count(verb, name)
}

// count is step for a caller that holds the lock.
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

// failsOn reports whether a change fails because an earlier one did.
func (d *Disk) failsOn(verb string) bool {
	if !d.failLong || len(d.ops) < d.failAt || !changes(verb) {
		return false
	}
	full := errors.Is(d.failErr, syscall.ENOSPC)
	return !full || (verb != "remove" && verb != "sync" && verb != "syncdir")
}

// failed words an error as the implementation for the real file system does.
func failed(verb, name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return refusal.New(refusal.NoSpace, "cannot %s %s: no space left", verb, name)
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ELOOP) {
		err = fmt.Errorf("%w: %w", durable.ErrKind, err)
	}
	return fmt.Errorf("cannot %s %s: %w", verb, name, err)
}
