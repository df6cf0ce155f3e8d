package durabletest

import (
	"errors"
	"fmt"
	"syscall"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// A Disk is a durable.FS in memory, which several goroutines may use at once. What looks at the disk as a whole, cuts
// the power or makes operations fail is for a time when nothing else runs.
//
// Operations, including reads, are counted from 1. RemoveAll counts one operation for each thing it removes, as on a
// real disk.
type Disk struct{ files }

// files is the file system.
type files struct {
	faults
	tree
	verity verity
}

// New returns an empty disk with the power on. Its file system has no fs-verity.
func New() *Disk { return newDisk(newDir(), none) }

func newDisk(root *node, v verity) *Disk { return &Disk{files{tree: tree{root}, verity: v}} }

// Clone returns a disk with everything that was written to this one, made durable, and with the power on.
func (d *Disk) Clone() *Disk {
	all := survival{
		names: func(_ string, n *node) names { return n.entries },
		bytes: func(_ string, n *node) []byte { return n.data },
		seals: func(string, *node) bool { return true },
		nodes: map[*node]*node{},
	}
	return newDisk(d.root.survive(root, all), d.verity)
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
