package durable

import (
	"errors"
	"os"
	"syscall"
)

// Modes of allocate: whether the file becomes as long as the space that is reserved (FALLOC_FL_KEEP_SIZE).
const (
	longer = 0
	asLong = 1
)

// allocate reserves space for the first size bytes of the file. On a file system without fallocate it reserves nothing.
func allocate(f *os.File, size int64, mode uint32) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := conn.Control(func(fd uintptr) {
		for {
			if result = syscall.Fallocate(int(fd), mode, 0, size); result != syscall.EINTR {
				return
			}
		}
	}); err != nil {
		return err
	}
	if errors.Is(result, syscall.EOPNOTSUPP) || errors.Is(result, syscall.ENOSYS) {
		return nil
	}
	return result
}
