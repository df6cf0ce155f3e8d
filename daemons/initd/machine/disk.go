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

// Lines about the state disk that whoever watches the console may look for.
const (
	LineNewDisk   = "init: state disk: new, made ready"
	LineNotedDisk = "init: state disk: damaged: the kernel has met damage in it before"
	LineSmallDisk = "init: state disk: it keeps its size: "
)

// MountFolder mounts what the system's folder is on, and reports whether that outlives the boot: the machine's state
// disk, or a RAM disk where it has none. A disk that cannot be used is an error, and so no reason to go on without what
// was to be remembered.
func MountFolder(console io.Writer) (persistent bool, err error) {
	disk, err := plat.FindDisk(GuestDisk)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, GuestMemory().Mount()
	case err != nil:
		return false, err
	}
	if err := mountDisk(disk, console); err != nil {
		return false, fmt.Errorf("cannot use state disk %s: %w", disk, err)
	}
	return true, nil
}

// LeaveFolder unmounts the system's folder, so that a disk is in order. What was synced is on it in any case.
func LeaveFolder(console io.Writer) {
	if err := plat.Unmount(GuestDir); err != nil {
		fmt.Fprintf(console, "init: state disk: %v\n", err)
	}
}

// mountDisk mounts a state disk, and makes it one before if it is new.
func mountDisk(disk string, console io.Writer) error {
	size, err := makeReady(disk, console)
	if err != nil {
		return err
	}
	if err := (plat.Mount{Type: "ext4", Source: disk, Target: GuestDir,
		Options: "errors=remount-ro"}).Mount(); err != nil {
		return err
	}
	if err := plat.GrowExt4(GuestDir, uint64(size/statedisk.BlockSize)); err != nil {
		fmt.Fprintf(console, "%s%v\n", LineSmallDisk, err) // what fits goes on to fit
	}
	if err := sound(GuestDir); err != nil {
		return err
	}
	if err := os.Chmod(GuestDir, 0o700); err != nil {
		return err
	}
	// whom this machine trusts its image says; what an older one said is void
	return os.RemoveAll(filepath.Join(GuestDir, "trust"))
}

// sound wants the directories to be in order that no start can do without: one that is damaged would have daemons end
// again and again, and nobody told why. To look for a name that is not there has the kernel read a directory and check
// it; to list it does not. What is no directory is somebody else's to judge.
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

// makeReady looks at a disk before anything is mounted, and makes a file system on one that is new. Nothing is written
// to any other. It returns its size in bytes.
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
