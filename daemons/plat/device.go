package plat

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// NoDevice tells why what is at a path is not a device; empty: it is one, or nothing is there yet.
func NoDevice(path string) string {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return ""
	}
	if err == nil {
		defer unix.Close(fd)
		err = checkDevice(fd)
	}
	if err != nil {
		return fmt.Sprintf("cannot use %s: %v", path, err)
	}
	return ""
}

var errNoDevice = errors.New("it is not a device")

func checkDevice(fd int) error {
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return err
	}
	if kind := info.Mode & unix.S_IFMT; kind != unix.S_IFCHR && kind != unix.S_IFBLK {
		return errNoDevice
	}
	return nil
}

// OpenDevice opens a device for a program. What is not one is not opened, which might have an effect or wait. A
// terminal does not become that of this process.
func OpenDevice(path string, write bool) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open device %s: %w", path, err)
	}
	defer unix.Close(fd)
	if err := checkDevice(fd); err != nil {
		return nil, fmt.Errorf("cannot open device %s: %w", path, err)
	}
	flags := unix.O_RDONLY
	if write {
		flags = unix.O_RDWR
	}
	// Not to wait is for the opening only, as for a line without a carrier: programs expect a file that waits.
	device, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err == nil {
		err = unix.SetNonblock(device, false)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open device %s: %w", path, err)
	}
	return os.NewFile(uintptr(device), path), nil
}
