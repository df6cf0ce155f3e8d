package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// files returns attempts on files by path: the system's own, the machine's, and those of other processes.
func files() []attempt {
	at := func(p *prey, name string) string { return filepath.Join(p.Dir, name) }
	opening := func(name string, path func(p *prey) string, flags int) attempt {
		return attempt{name: name, want: unix.EACCES, try: func(p *prey) error {
			fd, err := unix.Open(path(p), flags|unix.O_CLOEXEC, 0o600)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}}
	}
	fixed := func(path string) func(*prey) string { return func(*prey) string { return path } }
	ofParent := func(name string) func(*prey) string {
		return func(p *prey) string { return fmt.Sprintf("/proc/%d/%s", p.Parent, name) }
	}
	secret := func(p *prey) string { return at(p, "secret") }
	all := []attempt{
		opening("read a file", secret, unix.O_RDONLY),
		opening("write a file", secret, unix.O_WRONLY),
		opening("truncate a file on opening", secret, unix.O_WRONLY|unix.O_TRUNC),
		opening("create a file", func(p *prey) string { return at(p, "new") }, unix.O_WRONLY|unix.O_CREAT),
		opening("create a file without name", func(p *prey) string { return p.Dir }, unix.O_WRONLY|unix.O_TMPFILE),
		opening("list a folder", func(p *prey) string { return p.Dir }, unix.O_RDONLY|unix.O_DIRECTORY),
		opening("list the root", fixed("/"), unix.O_RDONLY|unix.O_DIRECTORY),
		opening("list the devices", fixed("/dev"), unix.O_RDONLY|unix.O_DIRECTORY),
		opening("list the kernel's settings", fixed("/sys"), unix.O_RDONLY|unix.O_DIRECTORY),
		opening("read the kernel's settings", fixed("/proc/sys/kernel/hostname"), unix.O_RDONLY),
		opening("read the kernel's version", fixed("/proc/version"), unix.O_RDONLY),
		opening("list all processes", fixed("/proc"), unix.O_RDONLY|unix.O_DIRECTORY),
		opening("read the arguments of another process", ofParent("cmdline"), unix.O_RDONLY),
		opening("read the state of another process", ofParent("status"), unix.O_RDONLY),
		opening("read the environment of another process", ofParent("environ"), unix.O_RDONLY),
		opening("read the memory of another process", ofParent("mem"), unix.O_RDONLY),
		opening("write the memory of another process", ofParent("mem"), unix.O_RDWR),
		opening("read the map of another process", ofParent("maps"), unix.O_RDONLY),
		opening("list the descriptors of another process", ofParent("fd"), unix.O_RDONLY|unix.O_DIRECTORY),
		opening("open a descriptor of another process", ofParent("fd/0"), unix.O_RDONLY),
		opening("open the root of another process", ofParent("root"), unix.O_RDONLY|unix.O_DIRECTORY),
		opening("open random numbers", fixed("/dev/urandom"), unix.O_RDONLY),
		opening("write a device", fixed("/dev/zero"), unix.O_RDWR),
	}
	granted := func(name, folder, file string, flags int, to ...string) {
		a := opening(name, func(p *prey) string { return filepath.Join(p.Granted[folder], file) }, flags)
		a.except = to
		all = append(all, a)
	}
	granted("read the slots", "system", ".", unix.O_RDONLY|unix.O_DIRECTORY, "bundlemgrd", "execd", "updated")
	granted("write the slots", "system", "new", unix.O_WRONLY|unix.O_CREAT, "updated")
	granted("read the keys", "trust", ".", unix.O_RDONLY|unix.O_DIRECTORY, "keystored")
	granted("add a key", "trust", "new", unix.O_WRONLY|unix.O_CREAT)
	granted("read the roots", "roots", ".", unix.O_RDONLY|unix.O_DIRECTORY, "keystored")
	granted("store a root", "roots", "new", unix.O_WRONLY|unix.O_CREAT, "keystored")
	granted("read the sets", "sets", ".", unix.O_RDONLY|unix.O_DIRECTORY, "selftest")
	granted("add a set", "sets", "new", unix.O_WRONLY|unix.O_CREAT)
	granted("read the state", "state", ".", unix.O_RDONLY|unix.O_DIRECTORY, "statefsd")
	granted("write the state", "state", "new", unix.O_WRONLY|unix.O_CREAT, "statefsd")
	changing := func(name string, want syscall.Errno, try func(p *prey) error) {
		all = append(all, attempt{name: name, want: want, try: try})
	}
	changing("make a folder", unix.EACCES,
		func(p *prey) error { return unix.Mkdirat(unix.AT_FDCWD, at(p, "folder"), 0o700) })
	changing("make a link", unix.EACCES,
		func(p *prey) error { return unix.Symlinkat("secret", unix.AT_FDCWD, at(p, "link")) })
	changing("remove a file", unix.EACCES,
		func(p *prey) error { return unix.Unlinkat(unix.AT_FDCWD, at(p, "prey"), 0) })
	changing("move a file", unix.EACCES, func(p *prey) error {
		return unix.Renameat2(unix.AT_FDCWD, at(p, "prey"), unix.AT_FDCWD, at(p, "moved"), 0)
	})
	changing("make a device", unix.EPERM,
		func(p *prey) error { return unix.Mknodat(unix.AT_FDCWD, at(p, "device"), unix.S_IFCHR, 0x103) })
	changing("make a pipe with a name", unix.EPERM,
		func(p *prey) error { return unix.Mknodat(unix.AT_FDCWD, at(p, "pipe"), unix.S_IFIFO|0o600, 0) })
	changing("change the mode of a file", unix.EPERM,
		func(p *prey) error { return unix.Fchmodat(unix.AT_FDCWD, secret(p), 0o666, 0) })
	changing("change the owner of a file", unix.EPERM,
		func(p *prey) error { return unix.Fchownat(unix.AT_FDCWD, secret(p), os.Getuid(), os.Getgid(), 0) })
	changing("change the times of a file", unix.EPERM,
		func(p *prey) error { return unix.UtimesNanoAt(unix.AT_FDCWD, secret(p), nil, 0) })
	changing("set an attribute of a file", unix.EPERM,
		func(p *prey) error { return unix.Setxattr(secret(p), "user.probe", nil, 0) })
	changing("watch a folder", unix.EPERM, func(*prey) error { return closing(unix.InotifyInit1(unix.IN_CLOEXEC)) })
	changing("watch the machine", unix.EPERM, func(*prey) error { return closing(unix.FanotifyInit(0, 0)) })
	changing("open by handle", unix.EPERM,
		func(*prey) error { return closing(unix.OpenByHandleAt(-1, unix.NewFileHandle(0, nil), 0)) })
	return all
}

// closing turns a call that returns a descriptor into an attempt.
func closing(fd int, err error) error {
	if err == nil {
		unix.Close(fd)
	}
	return err
}
