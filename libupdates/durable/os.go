package durable

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"

	"nexus/libupdates/refusal"
)

const dirPerm = 0o755

// OS returns the file system below root, without fs-verity. The caller keeps root open as long as it is in use.
func OS(root *os.Root) FS { return WithVerity(root, nil) }

// WithVerity is OS with fs-verity, where the file system has it.
func WithVerity(root *os.Root, v Verity) FS { return osFS{root, v} }

type osFS struct {
	root   *os.Root
	verity Verity // nil: none
}

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
	f, err := o.open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (o osFS) open(name string) (f osReadFile, err error) {
	if err := CheckName(name); err != nil {
		return f, err
	}
	named, err := o.root.Lstat(name)
	if err == nil && !named.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		return f, o.failedAt("open", name, err)
	}
	// O_NONBLOCK: opening a FIFO must not wait for a writer
	file, err := o.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return f, o.failedAt("open", name, err)
	}
	info, err := file.Stat()
	if err == nil && !os.SameFile(named, info) {
		err = errNotRegular // replaced meanwhile, perhaps by a link
	}
	if err != nil {
		file.Close()
		return f, failed("open", name, err)
	}
	return osReadFile{file, info.Size(), o.verity}, nil
}

// errNotRegular reports a FIFO, a device, a link or a directory in place of a file.
var errNotRegular = wrongKind{errors.New("not a regular file")}

// failedAt is failed for a name in a folder. A link among the folders that leads out of the root counts as ErrKind,
// whatever the system's error.
func (o osFS) failedAt(verb, name string, err error) error {
	for dir := path.Dir(name); dir != "." && !errors.Is(err, fs.ErrNotExist) &&
		!errors.Is(err, ErrKind); dir = path.Dir(dir) {
		if info, lookErr := o.root.Lstat(dir); lookErr == nil && info.Mode()&fs.ModeSymlink != 0 {
			err = wrongKind{err}
		}
	}
	return failed(verb, name, err)
}

func (o osFS) Readlink(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	target, err := o.root.Readlink(name)
	if errors.Is(err, syscall.EINVAL) {
		err = wrongKind{errors.New("not a link")}
	}
	return target, failed("read link", name, err)
}

func (o osFS) ReadDir(name string) ([]string, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	dir, err := o.openDir(name)
	if err != nil {
		return nil, o.failedAt("list", name, err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, failed("list", name, err)
	}
	slices.Sort(names)
	return names, nil
}

// openDir never blocks: it fails at once on a FIFO, as on any other non-directory.
func (o osFS) openDir(name string) (*os.File, error) {
	info, err := o.root.Lstat(name)
	if err == nil && !info.IsDir() {
		err = wrongKind{syscall.ENOTDIR}
	}
	if err != nil {
		return nil, err
	}
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

func (o osFS) Reopen(name string) (File, error) {
	there, err := o.Open(name) // it looks at what kind of file that is
	if err != nil {
		return nil, err
	}
	defer there.Close()
	f, err := o.root.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, failed("open", name, err)
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
		// EINVAL: this file system cannot sync directories
		if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
			return err
		}
		return nil
	})
}

func (o osFS) EnableVerity(name string) error {
	f, err := o.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return failed("enable fs-verity of", name, enable(o.verity, f.File))
}

func (o osFS) act(verb, name string, do func() error) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return failed(verb, name, do())
}

type osReadFile struct {
	*os.File
	size   int64
	verity Verity
}

func (f osReadFile) Size() int64 { return f.size }

func (f osReadFile) Verity() ([sha256.Size]byte, error) { return Measure(f.verity, f.File) }

// Opened returns the open file of the real file system, to be handed to another process. It belongs to f. It is nil if
// f is a file of another file system.
func Opened(f ReadFile) *os.File {
	if real, is := f.(osReadFile); is {
		return real.File
	}
	return nil
}

// failed words an error. It drops the names that package os puts into errors; name is the one that the caller used. A
// full disk or an exhausted quota becomes the refusal NoSpace.
func failed(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return refusal.New(refusal.NoSpace, "cannot %s %s: no space left", verb, name)
	}
	var ofPath *fs.PathError
	var ofLink *os.LinkError
	var kind wrongKind
	switch {
	case errors.As(err, &kind):
	case errors.As(err, &ofPath):
		err = ofPath.Err
	case errors.As(err, &ofLink):
		err = ofLink.Err
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ELOOP) {
		err = wrongKind{err}
	}
	return fmt.Errorf("cannot %s %s: %w", verb, name, err)
}

// wrongKind is an error that matches ErrKind.
type wrongKind struct{ error }

func (wrongKind) Is(target error) bool { return target == ErrKind }
func (w wrongKind) Unwrap() error      { return w.error }
