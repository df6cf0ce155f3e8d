package probe

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel returns attempts on the kernel and the machine.
func kernel() []attempt {
	return []attempt{
		denied("mount", unix.SYS_MOUNT, 1, 1),
		denied("unmount", unix.SYS_UMOUNT2, 1),
		denied("mount the new way", unix.SYS_FSOPEN, 1),
		denied("copy a mount", unix.SYS_OPEN_TREE, bad, 1),
		denied("move a mount", unix.SYS_MOVE_MOUNT, bad, 1),
		denied("change a mount", unix.SYS_MOUNT_SETATTR, bad, 1),
		denied("change the root", unix.SYS_CHROOT, 1),
		denied("swap the root", unix.SYS_PIVOT_ROOT, 1, 1),
		denied("make a user namespace", unix.SYS_UNSHARE, unix.CLONE_NEWUSER|unix.CLONE_THREAD|1),
		denied("make a mount namespace", unix.SYS_UNSHARE, unix.CLONE_NEWNS|1),
		denied("start in a user namespace", unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_SIGHAND),
		denied("enter a namespace", unix.SYS_SETNS, bad),
		denied("load a program into the kernel", unix.SYS_BPF, 99),
		denied("load a module", unix.SYS_INIT_MODULE, 1, 1),
		denied("load a module from a file", unix.SYS_FINIT_MODULE, bad),
		denied("unload a module", unix.SYS_DELETE_MODULE, 1),
		denied("load a kernel", unix.SYS_KEXEC_LOAD, 0, 99, 0, 99),
		denied("load a kernel from a file", unix.SYS_KEXEC_FILE_LOAD, bad, bad),
		denied("restart the machine", unix.SYS_REBOOT, 0),
		denied("measure the machine", unix.SYS_PERF_EVENT_OPEN, 1),
		denied("handle page faults", unix.SYS_USERFAULTFD, bad),
		denied("queue work in the kernel", unix.SYS_IO_URING_SETUP, 0, 1),
		denied("queue input and output", unix.SYS_IO_SETUP, 0, 1),
		denied("use the kernel's keys", unix.SYS_KEYCTL, bad),
		denied("add a key", unix.SYS_ADD_KEY, 1),
		denied("ask for a key", unix.SYS_REQUEST_KEY, 1),
		denied("read the kernel's log", unix.SYS_SYSLOG, 99),
		denied("set the clock", unix.SYS_CLOCK_SETTIME, 0, 1),
		denied("set the time", unix.SYS_SETTIMEOFDAY, 1),
		denied("slew the clock", unix.SYS_ADJTIMEX, 1),
		denied("name the machine", unix.SYS_SETHOSTNAME, 1, bad),
		denied("name its domain", unix.SYS_SETDOMAINNAME, 1, bad),
		denied("swap", unix.SYS_SWAPON, 1),
		denied("account for processes", unix.SYS_ACCT, 1),
		denied("set quotas", unix.SYS_QUOTACTL, 1),
		denied("type into the terminal", unix.SYS_IOCTL, 0, unix.TIOCSTI, 1),
		denied("share memory by key", unix.SYS_SHMGET, 0, 0, 0),
		denied("send messages by key", unix.SYS_MSGGET, 1, 0),
		denied("lock by key", unix.SYS_SEMGET, 1, bad, 0),
		denied("open a message queue", unix.SYS_MQ_OPEN, 1),
		denied("move pages of others", unix.SYS_MOVE_PAGES, 1, 0, 0, 0, 0, bad),
		denied("protect memory with keys", unix.SYS_PKEY_ALLOC, bad),
		denied("make secret memory", unix.SYS_MEMFD_SECRET, bad),
	}
}

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
