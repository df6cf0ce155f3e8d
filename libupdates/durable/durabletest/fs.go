package durabletest

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"slices"
	"syscall"

	"nexus/libupdates/durable"
)

var _ durable.FS = (*Disk)(nil)

// begin checks the names and counts the operation. The caller holds the lock.
func (d *files) begin(verb string, names ...string) error {
	for _, name := range names {
		if err := durable.CheckName(name); err != nil {
			return err
		}
	}
	return d.count(verb, names[len(names)-1])
}

// Kind implements durable.ReadFS.
func (d *files) Kind(name string) (fs.FileMode, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("look at", name); err != nil {
		return 0, err
	}
	n, err := d.entry(name)
	if err != nil {
		return 0, failed("look at", name, err)
	}
	switch n.kind {
	case directory:
		return fs.ModeDir, nil
	case link:
		return fs.ModeSymlink, nil
	default:
		return 0, nil
	}
}

// Open implements durable.ReadFS.
func (d *files) Open(name string) (durable.ReadFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.file("open", name)
	if err != nil {
		return nil, err
	}
	return &readHandle{disk: d, name: name, node: n, reader: bytes.NewReader(n.data)}, nil
}

// file begins an operation on a file, and returns it. The caller holds the lock.
func (d *files) file(verb, name string) (*node, error) {
	if err := d.begin(verb, name); err != nil {
		return nil, err
	}
	n, err := d.entry(name)
	if err == nil && n.kind != file {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, failed("open", name, err)
	}
	return n, nil
}

// Readlink implements durable.ReadFS.
func (d *files) Readlink(name string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("read link", name); err != nil {
		return "", err
	}
	n, err := d.entry(name)
	if err == nil && n.kind != link {
		err = durable.ErrKind
	}
	if err != nil {
		return "", failed("read link", name, err)
	}
	return n.target, nil
}

// ReadDir implements durable.ReadFS.
func (d *files) ReadDir(name string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("list", name); err != nil {
		return nil, err
	}
	dir, err := d.entry(name)
	if err == nil && dir.kind != directory {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, failed("list", name, err)
	}
	return slices.Sorted(maps.Keys(dir.entries)), nil
}

// Mkdir implements durable.FS.
func (d *files) Mkdir(name string) error { return d.add("mkdir", name, newDir()) }

// Symlink implements durable.FS.
func (d *files) Symlink(target, name string) error {
	if err := durable.CheckName(target); err != nil {
		return err
	}
	return d.add("symlink", name, &node{kind: link, target: target})
}

// Create implements durable.FS.
func (d *files) Create(name string, _ fs.FileMode) (durable.File, error) {
	n := &node{kind: file, writers: 1}
	if err := d.add("create", name, n); err != nil {
		return nil, err
	}
	return &writeHandle{disk: d, name: name, node: n, open: 1}, nil
}

// Reopen implements durable.FS.
func (d *files) Reopen(name string) (durable.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.file("reopen", name)
	if err != nil {
		return nil, err
	}
	return &writeHandle{disk: d, name: name, node: n}, nil
}

// Link implements durable.FS.
func (d *files) Link(from, to string) error {
	if err := durable.CheckName(from); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.entry(from)
	if err == nil && n.kind == directory {
		err = syscall.EPERM
	}
	if err != nil {
		return failed("link", to, err)
	}
	return d.addLocked("link", to, n)
}

// Rename implements durable.FS.
func (d *files) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("rename", from, to); err != nil {
		return err
	}
	source, was, err := d.parent(from)
	if err != nil {
		return failed("rename", from, err)
	}
	target, now, err := d.parent(to)
	if err != nil {
		return failed("rename", to, err)
	}
	n, there := source.entries[was], target.entries[now]
	switch {
	case n == nil:
		return failed("rename", from, syscall.ENOENT)
	case there == nil:
	case n == there:
		return nil // rename(2): two names of one file both stay
	case (n.kind == directory) != (there.kind == directory):
		return failed("rename", to, syscall.EEXIST)
	case there.kind == directory && len(there.entries) > 0:
		return failed("rename", to, syscall.ENOTEMPTY)
	}
	if source == target {
		source.change(func(at names) { delete(at, was); at[now] = n })
		return nil
	}
	source.change(func(at names) { delete(at, was) })
	target.change(func(at names) { at[now] = n })
	return nil
}

// Remove implements durable.FS.
func (d *files) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.removeLocked(name)
}

func (d *files) removeLocked(name string) error {
	if err := d.begin("remove", name); err != nil {
		return err
	}
	dir, base, err := d.parent(name)
	if err != nil {
		return failed("remove", name, err)
	}
	switch n := dir.entries[base]; {
	case n == nil:
		return failed("remove", name, syscall.ENOENT)
	case n.kind == directory && len(n.entries) > 0:
		return failed("remove", name, syscall.ENOTEMPTY)
	}
	dir.change(func(at names) { delete(at, base) })
	return nil
}

// RemoveAll implements durable.FS: leaves first, in byte order, one operation each.
func (d *files) RemoveAll(name string) error {
	if err := durable.CheckName(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.removeAllLocked(name)
}

func (d *files) removeAllLocked(name string) error {
	n, err := d.entry(name)
	if err != nil {
		return nil
	}
	if n.kind == directory {
		for _, base := range slices.Sorted(maps.Keys(n.entries)) {
			if err := d.removeAllLocked(path.Join(name, base)); err != nil {
				return err
			}
		}
	}
	return d.removeLocked(name)
}

// SyncDir implements durable.FS.
func (d *files) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("syncdir", name); err != nil {
		return err
	}
	dir, err := d.entry(name)
	if err == nil && dir.kind != directory {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return failed("syncdir", name, err)
	}
	dir.past = nil
	return nil
}

// add adds a new node to its parent.
func (d *files) add(verb, name string, n *node) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addLocked(verb, name, n)
}

func (d *files) addLocked(verb, name string, n *node) error {
	if err := d.begin(verb, name); err != nil {
		return err
	}
	dir, base, err := d.parent(name)
	if err != nil {
		return failed(verb, name, err)
	}
	if dir.entries[base] != nil || name == root {
		return failed(verb, name, syscall.EEXIST)
	}
	dir.change(func(at names) { at[base] = n })
	return nil
}
