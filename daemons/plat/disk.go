package plat

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FindDisk returns the device file of the block device with that serial number, which the host gave it (virtio 1.2,
// 5.2.5.1). The error is os.ErrNotExist if there is none.
func FindDisk(serial string) (string, error) {
	names, err := filepath.Glob("/sys/block/*/serial")
	if err != nil {
		return "", err
	}
	var found []string
	for _, path := range names {
		if text, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(text)) == serial {
			found = append(found, filepath.Join("/dev", filepath.Base(filepath.Dir(path))))
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("cannot find disk %s: %w", serial, os.ErrNotExist)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("cannot choose disk %s: %s have that serial number", serial, strings.Join(found, " and "))
}

// OpenDisk opens a block device that is not in use, and returns its size in bytes.
func OpenDisk(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_EXCL, 0) // O_EXCL: not while it is mounted (open(2))
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// resizeExt4 is EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64) (fs/ext4/ext4.h).
const resizeExt4 = 0x40086610

// GrowExt4 grows the ext4 file system mounted at target to that many blocks. It leaves one alone that has them already.
func GrowExt4(target string, blocks uint64) error {
	dir, err := os.Open(target)
	if err != nil {
		return err
	}
	defer dir.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), resizeExt4, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return fmt.Errorf("cannot grow %s: %w", target, errno)
	}
	return nil
}
