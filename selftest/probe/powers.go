package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// powers returns attempts to gain privileges or resources.
func powers() []attempt {
	call := func(name string, try func() error, except ...string) attempt {
		return attempt{name: name, want: unix.EPERM, try: func(*prey) error { return try() }, except: except}
	}
	return []attempt{
		call("become root", func() error { return raw(unix.SYS_SETRESUID, 0, 0, 0) }),
		call("become root's group", func() error { return raw(unix.SYS_SETRESGID, 0, 0, 0) }),
		call("become root the old way", func() error { return raw(unix.SYS_SETUID, 0) }),
		call("open files as root", func() error { return raw(unix.SYS_SETFSUID, 0) }),
		call("join a group", func() error { return raw(unix.SYS_SETGROUPS, 1, 1) }),
		call("become a daemon's user", func() error { return raw(unix.SYS_SETRESUID, 0x0ff000, 0x0ff000, 0x0ff000) }),
		call("get capabilities", everyCapability),
		call("keep capabilities in reach", func() error {
			return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_SYS_ADMIN, 0, 0)
		}),
		call("keep root's rights by bits", func() error { return unix.Prctl(unix.PR_SET_SECUREBITS, 1<<30, 0, 0, 0) }),
		call("place one's memory", func() error { return unix.Prctl(unix.PR_SET_MM, 99, 0, 0, 0) }),
		call("be looked into by all", func() error { return unix.Prctl(unix.PR_SET_PTRACER, 99, 0, 0, 0) }),
		call("raise the limit of files", func() error { return raise(unix.RLIMIT_NOFILE) }),
		call("raise the limit of core dumps", func() error { return raise(unix.RLIMIT_CORE) }),
		call("get another personality", func() error { return raw(unix.SYS_PERSONALITY, 0xffffffff) }),
		call("lift a filter", func() error { return raw(unix.SYS_SECCOMP, 99) }, kindStarter, kindPayload),
	}
}

func everyCapability() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: 1 << unix.CAP_SYS_ADMIN, Permitted: 1 << unix.CAP_SYS_ADMIN}}
	return raw(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])))
}

// raise tries to exceed the hard limit of a resource.
func raise(resource int) error {
	var now unix.Rlimit
	if err := unix.Prlimit(0, resource, nil, &now); err != nil {
		return err
	}
	return unix.Prlimit(0, resource, &unix.Rlimit{Cur: now.Cur, Max: now.Max + 1}, nil)
}
