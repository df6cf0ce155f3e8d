package plat

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// An Object is a directory entry, examined without opening it.
type Object struct {
	Kind  fs.FileMode // the type bits of its mode
	Owner uint32
}

// Look examines the entry with that name (not a path) in a folder. It does not follow a link. The error is
// fs.ErrNotExist if there is no such entry.
func Look(dir *os.File, name string) (Object, error) {
	var info unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &info, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Object{}, fmt.Errorf("cannot look at %s: %w", name, err)
	}
	return Object{Kind: typeOf(info.Mode), Owner: info.Uid}, nil
}

func typeOf(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFCHR:
		return fs.ModeDevice | fs.ModeCharDevice
	default:
		return fs.ModeDevice
	}
}

// OpenFolder opens a folder by a path that an operator gave. It follows links on the way, and refuses anything but a
// folder.
func OpenFolder(path string) (*os.File, error) {
	return opened(path, func() (int, error) { return unix.Open(path, folderFlags, 0) })
}

// OpenFolderAt opens the folder with that name in another one. It refuses a link, and does not block on a FIFO.
func OpenFolderAt(dir *os.File, name string) (*os.File, error) {
	return opened(name, func() (int, error) { return unix.Openat(int(dir.Fd()), name, folderFlags|unix.O_NOFOLLOW, 0) })
}

const folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NONBLOCK | unix.O_CLOEXEC

// errNoFile says that the name belongs to something else than a file.
var errNoFile = errors.New("not a regular file")

// OpenFileAt opens the regular file with that name in a folder, and creates it if the name is free. Anything else is
// refused unopened.
func OpenFileAt(dir *os.File, name string, perm uint32) (*os.File, error) {
	if object, err := Look(dir, name); err == nil && object.Kind != 0 {
		return nil, fmt.Errorf("cannot open %s: %w", name, errNoFile)
	}
	flags := unix.O_RDWR | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	f, err := opened(name, func() (int, error) { return unix.Openat(int(dir.Fd()), name, flags, perm) })
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("cannot open %s: %w", name, errors.Join(err, errNoFile))
	}
	return f, nil
}

func opened(name string, open func() (int, error)) (*os.File, error) {
	for {
		fd, err := open()
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, fmt.Errorf("cannot open %s: %w", name, err)
		default:
			return os.NewFile(uintptr(fd), name), nil
		}
	}
}

// MayUse returns nil if this process may list a folder, and create and remove entries in it.
func MayUse(path string) error {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

// Root returns the file system below an open folder.
func Root(dir *os.File) (*os.Root, error) { return os.OpenRoot(ByDescriptor(dir)) }

// OpenUp adds the needed permission bits to the entry with that name in a folder, if this process's user owns it. It
// reports whether they were missing.
func OpenUp(dir *os.File, name string, need uint32) (done bool, err error) {
	f, err := opened(name, func() (int, error) {
		return unix.Openat(int(dir.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return false, err
	}
	defer f.Close()
	var info unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &info); err != nil {
		return false, err
	}
	if int(info.Uid) != os.Geteuid() || info.Mode&need == need || info.Mode&unix.S_IFMT == unix.S_IFLNK {
		return false, nil
	}
	return true, chmod(int(f.Fd()), info.Mode&0o7777|need)
}
