package durabletest

import (
	"errors"
	"strings"
	"sync"
	"syscall"
)

// ErrCut is the error of every operation after the power cut.
var ErrCut = errors.New("the power is cut")

// faults counts the operations of a disk, and makes them fail.
type faults struct {
	mu  sync.Mutex // protects the nodes and ops during an operation
	ops []string

	cut      bool
	cutAfter int // if cut is set, the power fails after that many operations
	metCut   bool
	failAt   int // number of the failing operation; 0 for none
	failErr  error
	failLong bool // every later change fails as well
}

// CutAfter cuts the power after n more operations: all later ones do nothing and fail with ErrCut.
func (f *faults) CutAfter(n int) { f.cut, f.cutAfter = true, len(f.ops)+n }

// MetCut reports whether an operation was tried after the cut.
func (f *faults) MetCut() bool { return f.metCut }

// Resume ends the cut without losing anything, as for a process that starts after another one died while the power
// stayed on.
func (f *faults) Resume() { f.cut = false }

// FailAt makes the n-th operation from now fail with err and do nothing, except that a failing write writes half of its
// bytes. ENOSPC becomes the refusal NoSpace.
func (f *faults) FailAt(n int, err error) { f.failAt, f.failErr, f.failLong = len(f.ops)+n, err, false }

// FailFrom is FailAt for the n-th operation and every later change, as on a disk that is full or worn out. A full one
// (ENOSPC) can still remove and sync.
func (f *faults) FailFrom(n int, err error) {
	f.failAt, f.failErr, f.failLong = len(f.ops)+n, err, true
}

// Heal ends a failure.
func (f *faults) Heal() { f.failAt, f.failLong = 0, false }

// Ops returns the operations so far, one line each: verb, space, name.
func (f *faults) Ops() []string { return append([]string{}, f.ops...) }

// Changes returns the numbers of the operations so far that changed something or made it durable, in order. A cut after
// any other operation has the same effect as one after the last of these before it.
func (f *faults) Changes() []int {
	var numbers []int
	for i, op := range f.ops {
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

// powerless reports whether the power is cut now.
func (f *faults) powerless() bool { return f.cut && len(f.ops) >= f.cutAfter }

// step counts one operation and returns an error if it must fail.
func (f *faults) step(verb, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count(verb, name)
}

// count is step for a caller that holds the lock.
func (f *faults) count(verb, name string) error {
	if f.powerless() {
		f.metCut = true
		return failed(verb, name, ErrCut)
	}
	f.ops = append(f.ops, verb+" "+name)
	if len(f.ops) == f.failAt || f.failsOn(verb) {
		return failed(verb, name, f.failErr)
	}
	return nil
}

// failsOn reports whether a change fails because an earlier one did.
func (f *faults) failsOn(verb string) bool {
	if !f.failLong || len(f.ops) < f.failAt || !changes(verb) {
		return false
	}
	full := errors.Is(f.failErr, syscall.ENOSPC)
	return !full || (verb != "remove" && verb != "sync" && verb != "syncdir")
}
