package plat

import (
	"cmp"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A Mount is one file system to mount.
type Mount struct {
	Type    string // as in filesystems(5)
	Source  string // the block device it is on; empty: none, and the source is called as the type
	Target  string // where to; made if it is not there
	Options string // of the file system itself, such as `mode=0755`
	Devices bool   // whether device files work in it; programs and set-user-ID never do

	Optional bool // whether the machine can do without, where its kernel does not know the type
}

// Mount mounts a file system without programs. One that is there already, because the kernel mounted it, stays as it
// is.
func (m Mount) Mount() error {
	if err := os.MkdirAll(m.Target, 0o755); err != nil && !m.Optional { // whose parent may be missing as well
		return fmt.Errorf("cannot mount %s: %w", m.Target, err)
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NOATIME) // nobody asks when a file was read
	if !m.Devices {
		flags |= unix.MS_NODEV
	}
	err := unix.Mount(cmp.Or(m.Source, m.Type), m.Target, m.Type, flags, m.Options)
	if err == nil || err == unix.EBUSY || m.Optional && (err == unix.ENODEV || err == unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("cannot mount %s: %w", m.Target, err)
}

// Unmount ends a file system: all that was written to it is durable, and its device as it is after a start in good
// order. One that is still in use is made read-only instead, which is as good.
func Unmount(target string) error {
	err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW)
	if err == unix.EBUSY {
		err = unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
	if err != nil {
		return fmt.Errorf("cannot unmount %s: %w", target, err)
	}
	return nil
}
