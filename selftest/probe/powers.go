package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// powers returns attempts to gain privileges or resources.
func powers() []attempt {
	capable := func(*prey) error { return everyCapability() }
	return []attempt{
		denied("become root", unix.SYS_SETRESUID, 0, 0, 0),
		denied("become root's group", unix.SYS_SETRESGID, 0, 0, 0),
		denied("become root the old way", unix.SYS_SETUID, 0),
		denied("open files as root", unix.SYS_SETFSUID, 0),
		denied("join a group", unix.SYS_SETGROUPS, 1, 1),
		denied("become a daemon's user", unix.SYS_SETRESUID, 0x0ff000, 0x0ff000, 0x0ff000),
		{name: "get capabilities", want: unix.EPERM, try: capable},
		denied("keep capabilities in reach", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE,
			unix.CAP_SYS_ADMIN, 0, 0),
		denied("keep root's rights by bits", unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, 1<<30, 0, 0, 0),
		denied("place one's memory", unix.SYS_PRCTL, unix.PR_SET_MM, 99, 0, 0, 0),
		denied("be looked into by all", unix.SYS_PRCTL, unix.PR_SET_PTRACER, 99, 0, 0, 0),
		{name: "raise the limit of files", want: unix.EPERM,
			try: func(*prey) error { return raise(unix.RLIMIT_NOFILE) }},
		{name: "raise the limit of core dumps", want: unix.EPERM,
			try: func(*prey) error { return raise(unix.RLIMIT_CORE) }},
		denied("get another personality", unix.SYS_PERSONALITY, 0xffffffff),
		denied("lift a filter", unix.SYS_SECCOMP, 99).but(kindStarter, kindPayload),
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
