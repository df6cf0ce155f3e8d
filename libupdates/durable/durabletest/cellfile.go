package durabletest

import (
	"io"
	"slices"
	"syscall"

	"nexus/libupdates/durable"
)

// CellFile opens a file for a durable.Cell. A missing file is created, empty, with its name durable. Creating it does
// not count as an operation, because a cell gets its file from outside.
func (d *files) CellFile(name string) (durable.CellFile, error) {
	dir, base, err := d.parent(name)
	if err != nil {
		return nil, failed("open", name, err)
	}
	n := dir.entries[base]
	if n == nil {
		n = &node{kind: file}
		for _, version := range append(slices.Clone(dir.past), dir.entries) {
			version[base] = n
		}
	}
	if n.kind != file {
		return nil, failed("open", name, syscall.EISDIR)
	}
	return &cellFile{d, name, n}, nil
}

// Forget removes a file as if it had never existed, as a power cut does to a file in memory. It does not count as an
// operation.
func (d *files) Forget(name string) {
	if dir, base, err := d.parent(name); err == nil {
		for _, version := range append(slices.Clone(dir.past), dir.entries) {
			delete(version, base)
		}
	}
}

// cellFile is a file that is read and written in place.
type cellFile struct {
	disk *files
	name string
	node *node
}

func (f *cellFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.disk.step("read", f.name); err != nil {
		return 0, err
	}
	n := copy(p, tail(f.node.data, int(off)))
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *cellFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.disk.step("write", f.name)
	if err != nil {
		if f.disk.powerless() {
			return 0, err
		}
		p = p[:len(p)/2]
	}
	f.node.data = spliced(f.node.data, p, int(off))
	return len(p), err
}

func (f *cellFile) Sync() error {
	if err := f.disk.step("sync", f.name); err != nil {
		return err
	}
	f.node.synced = f.node.data // never changed in place
	return nil
}

// spliced returns data with p written at off.
func spliced(data, p []byte, off int) []byte {
	out := make([]byte, max(len(data), off+len(p)))
	copy(out, data)
	copy(out[off:], p)
	return out
}
