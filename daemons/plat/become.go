package plat

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Become replaces this process by a program (execve(2)), with these arguments, no environment, and these files open
// under their descriptors. It returns only on error; the files are then close-on-exec again.
func Become(path string, argv []string, keep []*os.File) error {
	for _, f := range keep {
		if err := closeOnExec(f, false); err != nil {
			return err
		}
	}
	err := unix.Exec(path, argv, nil)
	for _, f := range keep {
		closeOnExec(f, true)
	}
	return fmt.Errorf("cannot execute %s: %w", path, err)
}

// Inherited takes over an inherited file by its descriptor number.
func Inherited(descriptor, name string) (*os.File, error) {
	fd, err := strconv.ParseUint(descriptor, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("cannot take over file %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := closeOnExec(f, true); err != nil {
		return nil, fmt.Errorf("cannot take over file %s: %w", name, err)
	}
	return f, nil
}

// Duplicate duplicates a file. Both share one open file description, which lasts, with any lock on it, until both are
// closed.
func Duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, sealedFDs)
	if err != nil {
		return nil, fmt.Errorf("cannot duplicate %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// ByDescriptor returns a path by which this process, and the program that replaces it, can open or execute an open
// file.
func ByDescriptor(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

func closeOnExec(f *os.File, on bool) error {
	flag := 0
	if on {
		flag = unix.FD_CLOEXEC
	}
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, flag)
	return err
}
