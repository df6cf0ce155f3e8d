package machine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"nexus/daemons/plat"
	"nexus/libupdates/statedisk"
	"nexus/libupdates/statefs"
)

// Lines about the state disk, which those who watch the console may look for.
const (
	LineNewDisk   = "init: state disk: new, made ready"
	LineNotedDisk = "init: state disk: damaged: the kernel has met damage in it before"
	LineSmallDisk = "init: state disk: it keeps its size: "
)

// MountFolder mounts the file system of the system's folder, and reports whether it outlives the boot: it is on the
// machine's state disk, or on a RAM disk if there is none. A disk that cannot be used is an error: the machine does not
// go on without its state.
func MountFolder(console io.Writer) (persistent bool, err error) {
	disk, err := plat.FindDisk(GuestDisk)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, GuestMemory().Mount()
	case err != nil:
		return false, err
	}
	if err := loadModules(GuestDiskFS); err != nil {
		return false, err
	}
	if err := mountDisk(disk, console); err != nil {
		return false, fmt.Errorf("cannot use state disk %s: %w", disk, err)
	}
	return true, nil
}

// LeaveFolder unmounts the system's folder, so that the disk is clean. What was synced is on it in any case.
func LeaveFolder(console io.Writer) {
	if err := plat.Unmount(GuestDir); err != nil {
		fmt.Fprintf(console, "init: state disk: %v\n", err)
	}
}

// mountDisk mounts a state disk, after formatting it if it is new.
func mountDisk(disk string, console io.Writer) error {
	size, err := makeReady(disk, console)
	if err != nil {
		return err
	}
	// payloads that the kernel verifies are executed from the slots; Landlock keeps everything else from being executed
	if err := (plat.Mount{Type: "ext4", Source: disk, Target: GuestDir, Options: "errors=remount-ro",
		Execute: true}).Mount(); err != nil {
		return err
	}
	if err := plat.GrowExt4(GuestDir, uint64(size/statedisk.BlockSize)); err != nil {
		fmt.Fprintf(console, "%s%v\n", LineSmallDisk, err) // what fits now continues to fit
	}
	if err := sound(GuestDir); err != nil {
		return err
	}
	if err := os.Chmod(GuestDir, 0o700); err != nil {
		return err
	}
	// the image says whom this machine trusts; keys of an older image do not count
	return os.RemoveAll(filepath.Join(GuestDir, "trust"))
}

// sound checks the directories that every start needs: with a damaged one daemons would end again and again, without a
// reason. Looking up a missing name makes the kernel read and check a directory, which listing it does not. What is not
// a directory is judged elsewhere.
func sound(dir string) error {
	for _, name := range []string{".", "system", "system/sets", "state", "state/" + statefs.Boot} {
		_, err := os.Lstat(filepath.Join(dir, name, "no-such-name"))
		nothing := errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
		if err != nil && !nothing {
			return err
		}
	}
	return nil
}

// makeReady examines a disk before it is mounted, and makes a file system on a new one. It writes to no other disk. It
// returns the size in bytes.
func makeReady(path string, console io.Writer) (int64, error) {
	disk, size, err := plat.OpenDisk(path)
	if err != nil {
		return 0, err
	}
	defer disk.Close()
	kind, err := statedisk.Prepare(disk, size)
	if err != nil {
		return 0, err
	}
	switch kind {
	case statedisk.New:
		fmt.Fprintln(console, LineNewDisk)
	case statedisk.Noted:
		fmt.Fprintln(console, LineNotedDisk)
	}
	return size, disk.Close()
}
