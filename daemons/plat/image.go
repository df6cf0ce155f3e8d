package plat

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// An image is a file with a file system of its own: what is in it cannot take more space, or more inodes, than it has,
// whoever writes. Programs get the folder imageTree of it. What the file system has beyond the quota is taken up by
// imageRest, which is not below that folder.
const (
	imageTree = "state"
	imageRest = "rest"
)

// CanMountImages returns why this process cannot use images; nil if it can.
func CanMountImages() error {
	if !ownPowers().has(unix.CAP_SYS_ADMIN) {
		return fmt.Errorf("needs root, to mount what bounds it")
	}
	control, err := os.OpenFile(loopControl, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("needs loop devices: %w", err)
	}
	return control.Close()
}

const loopControl = "/dev/loop-control"

// MountImage mounts an image at a folder, which is made where it is missing, and returns the path of what is for a
// program: an empty folder at first, with that quota and owner. An image that is mounted there already stays as it is.
func MountImage(dir *os.File, name, target string, quota int64, user uint32) (string, error) {
	image, err := OpenFileAt(dir, name, 0o600)
	if err != nil {
		return "", err
	}
	defer image.Close()
	if err := os.MkdirAll(target, 0o755); err != nil {
		return "", err
	}
	if !isMounted(image, target) {
		if err := Detach(target); err != nil {
			return "", err
		}
		if err := mountLoop(image, target); err != nil {
			return "", fmt.Errorf("cannot mount state at %s: %w", target, err)
		}
	}
	return filepath.Join(target, imageTree), prepareTree(target, quota, user)
}

// mountLoop mounts an image by a loop device, which goes when it is unmounted.
func mountLoop(image *os.File, target string) error {
	device, err := attach(image)
	if err != nil {
		return err
	}
	defer device.Close()
	return unix.Mount(device.Name(), target, "ext4", mountFlags, "errors=remount-ro,noinit_itable")
}

const mountFlags = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV | unix.MS_NOATIME

// loopTries bounds the search for a free loop device: others look for one too.
const loopTries = 64

// attach returns the loop device of an image: the one that it has, or a free one.
func attach(image *os.File) (*os.File, error) {
	if device := attached(image); device != nil {
		return device, nil
	}
	control, err := os.OpenFile(loopControl, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for range loopTries {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, err
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(image.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		runtime.KeepAlive(image)
		if err == nil {
			return device, nil
		}
		device.Close()
		if err != unix.EBUSY {
			return nil, err
		}
	}
	return nil, unix.EBUSY
}

// attached returns the loop device that an image has already; nil: none. Two of them would each keep their own view.
func attached(image *os.File) *os.File {
	names, _ := filepath.Glob("/sys/block/loop*/loop")
	for _, name := range names {
		device, err := os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(name))), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if isBehind(image, device) {
			return device
		}
		device.Close()
	}
	return nil
}

// isBehind reports whether a loop device is that of an image.
func isBehind(image, device *os.File) bool {
	var info unix.Stat_t
	if unix.Fstat(int(image.Fd()), &info) != nil {
		return false
	}
	loop, err := unix.IoctlLoopGetStatus64(int(device.Fd()))
	return err == nil && loop.Inode == info.Ino && loop.Device == uint64(info.Dev)
}

// isMounted reports whether an image is mounted at a folder.
func isMounted(image *os.File, target string) bool {
	device, err := deviceAt(target)
	if err != nil {
		return false
	}
	defer device.Close()
	return isBehind(image, device)
}

// deviceAt opens the loop device that is mounted at a folder.
func deviceAt(target string) (*os.File, error) {
	var info unix.Stat_t
	if err := unix.Stat(target, &info); err != nil {
		return nil, err
	}
	const loopMajor = 7
	if unix.Major(info.Dev) != loopMajor {
		return nil, unix.EINVAL
	}
	return os.OpenFile(fmt.Sprintf("/dev/loop%d", unix.Minor(info.Dev)), os.O_RDONLY, 0)
}

// prepareTree makes what a program gets of a mounted image, with exactly its quota left.
func prepareTree(target string, quota int64, user uint32) error {
	if err := setQuota(target, quota); err != nil {
		return fmt.Errorf("cannot set quota at %s: %w", target, err)
	}
	tree := filepath.Join(target, imageTree)
	if err := os.Mkdir(tree, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	dir, err := OpenFolder(tree)
	if err != nil {
		return err
	}
	defer dir.Close()
	return Rehome(dir, user)
}

// slack is what a file system needs for itself as it fills up, in bytes.
const slack = 64 << 10

// setQuota gives the file that is not for the program a size that leaves the program its quota, of what it has and what
// is free.
func setQuota(target string, quota int64) error {
	rest, err := os.OpenFile(filepath.Join(target, imageRest), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer rest.Close()
	var system unix.Statfs_t
	var info unix.Stat_t
	if err := unix.Fstatfs(int(rest.Fd()), &system); err != nil {
		return err
	}
	if err := unix.Fstat(int(rest.Fd()), &info); err != nil {
		return err
	}
	own := info.Blocks * 512
	free := int64(system.Bavail) * system.Bsize
	used := int64(system.Blocks-system.Bfree)*system.Bsize - own
	wanted := min(max(own+free+used-quota-slack, 0), own+max(free-slack, 0)) / system.Bsize * system.Bsize
	switch {
	case wanted < own:
		return rest.Truncate(wanted)
	case wanted > own:
		return unix.Fallocate(int(rest.Fd()), 0, 0, wanted)
	}
	return nil
}

// Detach unmounts what is mounted at a folder. What still uses it keeps it until it ends.
func Detach(target string) error {
	for {
		err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW)
		if err == unix.EBUSY {
			err = unix.Unmount(target, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH)
		}
		switch err {
		case nil: // there may be another one below it
		case unix.EINVAL, unix.ENOENT:
			return nil // nothing is mounted there
		default:
			return fmt.Errorf("cannot unmount %s: %w", target, err)
		}
	}
}

// Requests of ioctl(2) that x/sys has no names for (linux/fs.h).
const (
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

// WhileQuiet does something with an image that may be mounted at a folder: it is unmounted before, or, where somebody
// still uses it, kept from changing meanwhile.
func WhileQuiet(target string, do func() error) (err error) {
	switch err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW); err {
	case nil, unix.EINVAL, unix.ENOENT: // the latter two: nothing is mounted there
		return do()
	case unix.EBUSY:
	default:
		return fmt.Errorf("cannot unmount %s: %w", target, err)
	}
	dir, err := OpenFolder(target)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.IoctlSetInt(int(dir.Fd()), fiFreeze, 0); err != nil {
		return fmt.Errorf("cannot keep state at %s from changing: %w", target, err)
	}
	defer func() {
		if thawErr := unix.IoctlSetInt(int(dir.Fd()), fiThaw, 0); thawErr != nil {
			err = errors.Join(err, fmt.Errorf("cannot let state at %s change again: %w", target, thawErr))
		}
	}()
	return do()
}

// Bind mounts a folder at another place, which is made where it is missing. One that is mounted there stays. flags are
// those of mount(2), besides the usual ones: ReadOnly, or 0.
func Bind(dir *os.File, target string, flags uintptr) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	var from, at unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &from); err != nil {
		return err
	}
	if err := unix.Stat(target, &at); err == nil && at.Dev == from.Dev && at.Ino == from.Ino {
		return nil
	}
	if err := Detach(target); err != nil {
		return err
	}
	if err := unix.Mount(ByDescriptor(dir), target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot mount %s: %w", target, err)
	}
	// a bind mount takes its flags only when it is mounted again
	return unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|mountFlags|flags, "")
}

// ReadOnly is for Bind: nobody writes there.
const ReadOnly = unix.MS_RDONLY
