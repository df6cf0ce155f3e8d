package probe

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// grantedDevice is one that every machine has, and that everybody may open.
const grantedDevice = "/dev/zero"

// using returns what a payload does with the device that it was handed for reading, and what it may not do with it.
func using() []attempt {
	device := func(name string, want syscall.Errno, try func() error) attempt {
		return attempt{name: "own device: " + name, want: want, only: []string{kindLent},
			try: func(*prey) error { return try() }}
	}
	open := func(path string, flags int) error { return closing(unix.Open(path, flags|unix.O_CLOEXEC, 0)) }
	control := func(name string, request uintptr) attempt {
		return device(name, unix.EPERM, func() error { return raw(unix.SYS_IOCTL, socketFD, request, 0) })
	}
	return []attempt{
		device("read", 0, func() error {
			_, err := unix.Read(socketFD, make([]byte, 4))
			return err
		}),
		device("write", unix.EBADF, func() error {
			_, err := unix.Write(socketFD, make([]byte, 4))
			return err
		}),
		device("open it by its path", unix.EACCES, func() error { return open(grantedDevice, unix.O_RDONLY) }),
		device("open it anew for writing", unix.EACCES, func() error {
			return open(fmt.Sprint("/proc/self/fd/", socketFD), unix.O_WRONLY)
		}),
		device("open another", unix.EACCES, func() error { return open("/dev/full", unix.O_RDONLY) }),
		device("map it for writing", unix.EACCES, func() error {
			memory, err := unix.Mmap(socketFD, 0, 1, unix.PROT_WRITE, unix.MAP_SHARED)
			if err == nil {
				unix.Munmap(memory)
			}
			return err
		}),
		control("set its speed", unix.TCSETS),
		control("type into it", unix.TIOCSTI),
		control("make it the terminal", unix.TIOCSCTTY),
		control("change its capacity", unix.BLKRRPART),
	}
}
