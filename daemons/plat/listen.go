package plat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ListenPrivate listens on a unix stream socket that only its owner can connect to.
func ListenPrivate(path string) (net.Listener, error) { return listen(path, 0o600) }

// ListenShared listens on a unix stream socket that its owner and its group can connect to.
func ListenShared(path string) (net.Listener, error) { return listen(path, 0o660) }

// listen binds the socket by way of its folder's descriptor, so that the length limit of socket addresses (unix(7), 107
// bytes) does not limit where the folder is.
func listen(path string, mode uint32) (net.Listener, error) {
	dir, err := OpenFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	listener, err := withMode(mode).Listen(context.Background(), "unix", short(dir, path))
	if err == nil {
		listener.(*net.UnixListener).SetUnlinkOnClose(false)
		if err = unmask(dir, filepath.Base(path), mode); err != nil {
			listener.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	return listener, nil
}

// withMode gives a socket its mode before it is bound: its name gets that, less the umask, from the first moment. The
// umask itself belongs to the whole process, and is left alone.
func withMode(mode uint32) *net.ListenConfig {
	return &net.ListenConfig{Control: func(_, _ string, socket syscall.RawConn) error {
		var err error
		return errors.Join(socket.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), mode) }), err)
	}}
}

// unmask adds to the mode of a socket what the umask has taken from it.
func unmask(dir *os.File, name string, mode uint32) error {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return chmod(fd, mode)
}

// DialPath connects to a unix stream socket wherever its folder is.
func DialPath(path string) (net.Conn, error) {
	dir, err := OpenFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: short(dir, path), Net: "unix"})
}

func short(dir *os.File, path string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
}
