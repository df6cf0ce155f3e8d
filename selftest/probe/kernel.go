package main

import "golang.org/x/sys/unix"

// kernel returns attempts on the kernel and the machine.
func kernel() []attempt {
	call := func(name string, number uintptr, arguments ...uintptr) attempt {
		return attempt{name: name, want: unix.EPERM, try: func(*prey) error { return raw(number, arguments...) }}
	}
	return []attempt{
		call("mount", unix.SYS_MOUNT, 1, 1),
		call("unmount", unix.SYS_UMOUNT2, 1),
		call("mount the new way", unix.SYS_FSOPEN, 1),
		call("copy a mount", unix.SYS_OPEN_TREE, bad, 1),
		call("move a mount", unix.SYS_MOVE_MOUNT, bad, 1),
		call("change a mount", unix.SYS_MOUNT_SETATTR, bad, 1),
		call("change the root", unix.SYS_CHROOT, 1),
		call("swap the root", unix.SYS_PIVOT_ROOT, 1, 1),
		call("make a user namespace", unix.SYS_UNSHARE, unix.CLONE_NEWUSER|unix.CLONE_THREAD|1),
		call("make a mount namespace", unix.SYS_UNSHARE, unix.CLONE_NEWNS|1),
		call("start in a user namespace", unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_SIGHAND),
		call("enter a namespace", unix.SYS_SETNS, bad),
		call("load a program into the kernel", unix.SYS_BPF, 99),
		call("load a module", unix.SYS_INIT_MODULE, 1, 1),
		call("load a module from a file", unix.SYS_FINIT_MODULE, bad),
		call("unload a module", unix.SYS_DELETE_MODULE, 1),
		call("load a kernel", unix.SYS_KEXEC_LOAD, 0, 99, 0, 99),
		call("load a kernel from a file", unix.SYS_KEXEC_FILE_LOAD, bad, bad),
		call("restart the machine", unix.SYS_REBOOT, 0),
		call("measure the machine", unix.SYS_PERF_EVENT_OPEN, 1),
		call("handle page faults", unix.SYS_USERFAULTFD, bad),
		call("queue work in the kernel", unix.SYS_IO_URING_SETUP, 0, 1),
		call("queue input and output", unix.SYS_IO_SETUP, 0, 1),
		call("use the kernel's keys", unix.SYS_KEYCTL, bad),
		call("add a key", unix.SYS_ADD_KEY, 1),
		call("ask for a key", unix.SYS_REQUEST_KEY, 1),
		call("read the kernel's log", unix.SYS_SYSLOG, 99),
		call("set the clock", unix.SYS_CLOCK_SETTIME, 0, 1),
		call("set the time", unix.SYS_SETTIMEOFDAY, 1),
		call("slew the clock", unix.SYS_ADJTIMEX, 1),
		call("name the machine", unix.SYS_SETHOSTNAME, 1, bad),
		call("name its domain", unix.SYS_SETDOMAINNAME, 1, bad),
		call("swap", unix.SYS_SWAPON, 1),
		call("account for processes", unix.SYS_ACCT, 1),
		call("set quotas", unix.SYS_QUOTACTL, 1),
		call("type into the terminal", unix.SYS_IOCTL, 0, unix.TIOCSTI, 1),
		call("share memory by key", unix.SYS_SHMGET, 0, 0, 0),
		call("send messages by key", unix.SYS_MSGGET, 1, 0),
		call("lock by key", unix.SYS_SEMGET, 1, bad, 0),
		call("open a message queue", unix.SYS_MQ_OPEN, 1),
		call("move pages of others", unix.SYS_MOVE_PAGES, 1, 0, 0, 0, 0, bad),
		call("protect memory with keys", unix.SYS_PKEY_ALLOC, bad),
		call("make secret memory", unix.SYS_MEMFD_SECRET, bad),
	}
}
