package plat

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// An Object is what has a name, looked at without opening it.
type Object struct {
	Kind  fs.FileMode // the type bits of its mode
	Owner uint32
}

// Look looks at what has a name in a folder: one name, no path. A link is not followed. The error is fs.ErrNotExist
// where nothing has it.
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

// OpenFolder opens a folder that an operator named by its path, wherever links lead on the way there, and nothing but a
// folder.
func OpenFolder(path string) (*os.File, error) {
	return opened(path, func() (int, error) { return unix.Open(path, folderFlags, 0) })
}

// OpenFolderAt opens the folder of that one name in another one. A link in its place is refused, and nothing waits for
// the writer of a FIFO.
func OpenFolderAt(dir *os.File, name string) (*os.File, error) {
	return opened(name, func() (int, error) { return unix.Openat(int(dir.Fd()), name, folderFlags|unix.O_NOFOLLOW, 0) })
}

const folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NONBLOCK | unix.O_CLOEXEC

// errNoFile says that something else has the name of a file.
var errNoFile = errors.New("not a regular file")

// OpenFileAt opens the regular file of that one name in a folder, and makes it where nothing has the name. Whatever
// else has it is refused unopened.
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

// MayUse tells whether this process may list a folder, and make and remove what is in it.
func MayUse(path string) error {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

// Root is the file system below an open folder.
func Root(dir *os.File) (*os.Root, error) { return os.OpenRoot(ByDescriptor(dir)) }

// OpenUp gives the owner of what has a name in a folder the rights that he needs on it, where that is this process's
// user. It tells whether that was necessary.
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
