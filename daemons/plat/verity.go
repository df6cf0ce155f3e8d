package plat

import (
	"crypto/sha256"
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Verity is the kernel's fs-verity (Documentation/filesystems/fsverity.rst).
type Verity struct{}

// verityBlock is the size of the blocks of a Merkle tree, in bytes.
const verityBlock = 4096

// Enable has the kernel verify a file from now on. It is open for reading, and its permissions allow this process to
// write to it.
func (Verity) Enable(f *os.File) error {
	arg := unix.FsverityEnableArg{Version: 1, Hash_algorithm: unix.FS_VERITY_HASH_ALG_SHA256, Block_size: verityBlock}
	return ioctl(f, unix.FS_IOC_ENABLE_VERITY, unsafe.Pointer(&arg))
}

// A measurement is struct fsverity_digest, with room for a SHA-256.
type measurement struct {
	algorithm, size uint16
	digest          [sha256.Size]byte
}

// Measure returns the digest by which the kernel verifies a file; zero if that is not a SHA-256.
func (Verity) Measure(f *os.File) (sum [sha256.Size]byte, err error) {
	m := measurement{size: sha256.Size}
	err = ioctl(f, unix.FS_IOC_MEASURE_VERITY, unsafe.Pointer(&m))
	if errors.Is(err, unix.EOVERFLOW) {
		return sum, nil
	}
	if err == nil && m.algorithm == unix.FS_VERITY_HASH_ALG_SHA256 && m.size == sha256.Size {
		sum = m.digest
	}
	return sum, err
}

func ioctl(f *os.File, request uint, arg unsafe.Pointer) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	if err := conn.Control(func(fd uintptr) {
		for {
			if _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(arg)); errno != unix.EINTR {
				return
			}
		}
	}); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// OnDisk reports whether a file may be executed from the file system that it is on. Sealed memory is not on a disk.
func OnDisk(f *os.File) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	onDisk := false
	err = conn.Control(func(fd uintptr) {
		var system unix.Statfs_t
		_, sealed := unix.FcntlInt(fd, unix.F_GET_SEALS, 0)
		onDisk = sealed != nil && unix.Fstatfs(int(fd), &system) == nil && system.Flags&unix.ST_NOEXEC == 0
	})
	return err == nil && onDisk
}
