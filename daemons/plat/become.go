package plat

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Become has this process execute a program in place of its own, with these arguments, no environment, and these files
// left open under their descriptors. It returns only with an error; the files are then closed on exec again.
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

// Inherited takes over a file that this process was started with, by the number of its descriptor.
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

// Duplicate opens an open file once more: what it was opened as, a lock on it included, lasts as long as either.
func Duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, sealedFDs)
	if err != nil {
		return nil, fmt.Errorf("cannot duplicate %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// ByDescriptor is the path by which this process, and one that it is about to become, opens or executes an open file.
func ByDescriptor(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

func closeOnExec(f *os.File, on bool) error {
	flag := 0
	if on {
		flag = unix.FD_CLOEXEC
	}
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, flag)
	return err
}
