package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"nexus/libupdates/refusal"
)

const dirPerm = 0o755

// OS returns the file system below root. The caller keeps the root open while it is used.
func OS(root *os.Root) FS { return osFS{root} }

type osFS struct{ root *os.Root }

func (o osFS) Kind(name string) (fs.FileMode, error) {
	if err := CheckName(name); err != nil {
		return 0, err
	}
	info, err := o.root.Lstat(name)
	if err != nil {
		return 0, failed("look at", name, err)
	}
	return info.Mode().Type(), nil
}

func (o osFS) Open(name string) (ReadFile, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	info, err := o.root.Stat(name)
	if err == nil && !info.Mode().IsRegular() { // before it is opened: what opening a device does is up to the device
		err = errNotRegular
	}
	if err != nil {
		return nil, failed("open", name, err)
	}
	// O_NONBLOCK: a FIFO that took its place must not make us wait for a writer.
	f, err := o.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, failed("open", name, err)
	}
	info, err = f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, failed("open", name, err)
	}
	return osReadFile{f, info.Size()}, nil
}

var errNotRegular = errors.New("not a regular file")

func (o osFS) Readlink(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	target, err := o.root.Readlink(name)
	return target, failed("read link", name, err)
}

func (o osFS) ReadDir(name string) ([]string, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	dir, err := o.openDir(name)
	if err != nil {
		return nil, failed("list", name, err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, failed("list", name, err)
	}
	slices.Sort(names)
	return names, nil
}

// openDir opens a directory and nothing else: to open a FIFO in its place would wait for a writer, to open a device
// might do anything.
func (o osFS) openDir(name string) (*os.File, error) {
	return o.root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
}

func (o osFS) Mkdir(name string) error {
	return o.act("make directory", name, func() error { return o.root.Mkdir(name, dirPerm) })
}

func (o osFS) Create(name string, perm fs.FileMode) (File, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	f, err := o.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, failed("create", name, err)
	}
	return &osFile{f: f, name: name}, nil
}

func (o osFS) Rename(from, to string) error {
	if err := CheckName(from); err != nil {
		return err
	}
	return o.act("rename to", to, func() error { return o.root.Rename(from, to) })
}

func (o osFS) Symlink(target, name string) error {
	if err := CheckName(target); err != nil {
		return err
	}
	return o.act("make link", name, func() error { return o.root.Symlink(target, name) })
}

func (o osFS) Link(from, to string) error {
	if err := CheckName(from); err != nil {
		return err
	}
	return o.act("make link", to, func() error { return o.root.Link(from, to) })
}

func (o osFS) Remove(name string) error {
	return o.act("remove", name, func() error { return o.root.Remove(name) })
}

func (o osFS) RemoveAll(name string) error {
	return o.act("remove", name, func() error { return o.root.RemoveAll(name) })
}

func (o osFS) SyncDir(name string) error {
	return o.act("sync directory", name, func() error {
		dir, err := o.openDir(name)
		if err != nil {
			return err
		}
		defer dir.Close()
		if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: this file system syncs no directories
			return err
		}
		return nil
	})
}

func (o osFS) act(verb, name string, do func() error) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return failed(verb, name, do())
}

type osReadFile struct {
	*os.File
	size int64
}

func (f osReadFile) Size() int64 { return f.size }

// failed gives an error its sentence. The names os puts into its errors are dropped: ours is the one the caller used. A full disk
// or quota becomes the refusal NoSpace.
func failed(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return refusal.New(refusal.NoSpace, "cannot %s %s: no space left", verb, name)
	}
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("cannot %s %s: %w", verb, name, err)
}
