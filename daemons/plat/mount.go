package plat

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A Mount is one file system to mount.
type Mount struct {
	Type    string // as in filesystems(5); it is also what the source is called
	Target  string // where to; made if it is not there
	Options string // of the file system itself, such as `mode=0755`
	Devices bool   // whether device files work in it; programs and set-user-ID never do
}

// Mount mounts a file system without programs. One that is there already, because the kernel mounted it, stays as it is.
func (m Mount) Mount() error {
	if err := os.MkdirAll(m.Target, 0o755); err != nil {
		return fmt.Errorf("cannot mount %s: %w", m.Target, err)
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NOEXEC)
	if !m.Devices {
		flags |= unix.MS_NODEV
	}
	if err := unix.Mount(m.Type, m.Target, m.Type, flags, m.Options); err != nil && err != unix.EBUSY {
		return fmt.Errorf("cannot mount %s: %w", m.Target, err)
	}
	return nil
}
