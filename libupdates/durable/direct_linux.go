package durable

import (
	"os"
	"syscall"
)

// tmpfsMagic is the type of tmpfs (statfs(2)).
const tmpfsMagic = 0x01021994

// setDirect sets whether later writes bypass the page cache (open(2), O_DIRECT).
func setDirect(f *os.File, direct bool) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	flags := syscall.O_WRONLY
	if direct {
		flags |= syscall.O_DIRECT
	}
	var errno syscall.Errno
	if err := conn.Control(func(fd uintptr) {
		var system syscall.Statfs_t
		// since Linux 6.6 tmpfs accepts it, and writes to the cache
		if direct && syscall.Fstatfs(int(fd), &system) == nil && system.Type == tmpfsMagic {
			errno = syscall.EOPNOTSUPP
			return
		}
		_, _, errno = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_SETFL, uintptr(flags))
	}); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}
