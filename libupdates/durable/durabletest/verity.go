package durabletest

import (
	"bytes"
	"crypto/sha256"
	"syscall"

	"nexus/libupdates/digest"
	"nexus/libupdates/durable"
)

// verity is what a disk's file system does about fs-verity.
type verity uint8

const (
	none  verity = iota // it has none
	keeps               // it has it
	lies                // it says that it has enabled it, and has not
)

// veritySuffix marks what the kernel verifies.
const veritySuffix = " verity"

// NewWithVerity returns an empty disk with the power on, whose file system has fs-verity. It takes two operations to
// enable it: one enables, the other makes that durable.
func NewWithVerity() *Disk { return newDisk(newDir(), keeps) }

// NewWithFalseVerity is NewWithVerity with a file system that keeps nothing of what it says that it has enabled.
func NewWithFalseVerity() *Disk { return newDisk(newDir(), lies) }

// GiveVerity gives the file system fs-verity. What is on it stays as it was.
func (d *Disk) GiveVerity() { d.verity = keeps }

// GiveFalseVerity is GiveVerity as of NewWithFalseVerity.
func (d *Disk) GiveFalseVerity() { d.verity = lies }

// EnableVerity implements durable.FS.
func (d *files) EnableVerity(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("enable", name); err != nil {
		return err
	}
	n, err := d.entry(name)
	switch {
	case err == nil && n.kind != file:
		err = syscall.EISDIR
	case err == nil && d.verity == none:
		err = durable.ErrNoVerity
	case err == nil && n.writers > 0:
		err = syscall.ETXTBSY
	}
	if err != nil {
		return failed("enable fs-verity of", name, err)
	}
	if d.verity == keeps && n.sealed == nil {
		n.seal()
	}
	if err := d.count("sync", name); err != nil {
		return err
	}
	n.lasting = n.sealed != nil
	return nil
}

// seal makes the bytes durable, as the kernel does, and verifies them from now on.
func (n *node) seal() {
	var tree digest.Tree
	tree.Write(n.data)
	n.sealed, n.synced = &seal{n.data, tree.Sum()}, n.data
}

// Verity implements durable.ReadFile.
func (h *readHandle) Verity() ([sha256.Size]byte, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	switch {
	case h.disk.verity == none:
		return [sha256.Size]byte{}, durable.ErrNoVerity
	case h.node.sealed == nil:
		return [sha256.Size]byte{}, durable.ErrPlain
	}
	return h.node.sealed.sum, nil
}

// intact reports whether the blocks of a file with those bytes are what the kernel verifies them against.
func (n *node) intact(off, size int64) bool {
	if n.sealed == nil {
		return true
	}
	from, to := off/digest.BlockSize*digest.BlockSize, (off+size+digest.BlockSize-1)/digest.BlockSize*digest.BlockSize
	part := func(data []byte) []byte { return data[min(from, int64(len(data))):min(to, int64(len(data)))] }
	return bytes.Equal(part(n.data), part(n.sealed.data))
}
