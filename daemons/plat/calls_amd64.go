package plat

import "golang.org/x/sys/unix"

// auditArch is the numbering of system calls of this kind of machine.
const auditArch = unix.AUDIT_ARCH_X86_64

// machineCalls are what Go's runtime and os package need on this kind of machine only.
func machineCalls() []uint32 {
	return []uint32{unix.SYS_ARCH_PRCTL, unix.SYS_NEWFSTATAT, unix.SYS_RENAMEAT}
}

// machineProgramCalls are the older forms of calls, which C libraries use where they are.
func machineProgramCalls() []uint32 {
	return []uint32{
		unix.SYS_OPEN, unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_ACCESS, unix.SYS_READLINK, unix.SYS_GETDENTS,
		unix.SYS_CREAT,
		unix.SYS_MKDIR, unix.SYS_RMDIR, unix.SYS_UNLINK, unix.SYS_RENAME, unix.SYS_LINK, unix.SYS_SYMLINK,
		unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_GETPGRP, unix.SYS_ALARM, unix.SYS_PAUSE, unix.SYS_TIME,
		unix.SYS_GETRLIMIT, unix.SYS_SETRLIMIT,
		unix.SYS_POLL, unix.SYS_SELECT, unix.SYS_EPOLL_CREATE, unix.SYS_EPOLL_WAIT, unix.SYS_EVENTFD, unix.SYS_SIGNALFD,
		unix.SYS_PIPE, unix.SYS_DUP2,
	}
}
