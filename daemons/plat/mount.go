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
	Source  string // the block device; empty for none, and the source is then named like the type
	Target  string // a directory, created if it is missing
	Options string // of the file system itself, such as `mode=0755`
	Devices bool   // allow device files; set-user-ID is never allowed
	Execute bool   // allow programs

	Optional bool // ignore a kernel that does not know the type
}

// Mount mounts a file system. One that the kernel has mounted already is left alone.
func (m Mount) Mount() error {
	if err := os.MkdirAll(m.Target, 0o755); err != nil && !m.Optional { // whose parent may be missing as well
		return fmt.Errorf("cannot mount %s: %w", m.Target, err)
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NOATIME) // nobody asks when a file was read
	if !m.Execute {
		flags |= unix.MS_NOEXEC
	}
	if !m.Devices {
		flags |= unix.MS_NODEV
	}
	err := unix.Mount(cmp.Or(m.Source, m.Type), m.Target, m.Type, flags, m.Options)
	if err == nil || err == unix.EBUSY || m.Optional && (err == unix.ENODEV || err == unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("cannot mount %s: %w", m.Target, err)
}

// Unmount unmounts a file system, which makes all writes durable and leaves the device clean. One that is still in use
// is remounted read-only, which does the same.
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
