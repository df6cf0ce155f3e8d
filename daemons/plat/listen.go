package plat

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ListenPrivate listens on a unix stream socket that only its owner can connect to.
func ListenPrivate(path string) (net.Listener, error) { return listen(path, 0o177) }

// ListenShared listens on a unix stream socket that its owner and its group can connect to.
func ListenShared(path string) (net.Listener, error) { return listen(path, 0o117) }

// listen binds the socket by way of its folder's descriptor, so that the length limit of socket addresses (unix(7), 107
// bytes) does not limit where the folder is. The mode is there from the first moment.
func listen(path string, mask int) (net.Listener, error) {
	dir, err := OpenFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	before := unix.Umask(mask)
	defer unix.Umask(before)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: short(dir, path)})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	listener.SetUnlinkOnClose(false)
	return listener, nil
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
