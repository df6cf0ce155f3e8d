package probe

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kinds of process that may start other processes.
const (
	kindStarter = "execd"
	kindPayload = "payload"
)

// processes returns attempts on other processes, and to become another process.
func processes() []attempt {
	return []attempt{
		denied("trace another process", unix.SYS_PTRACE, unix.PTRACE_SEIZE, parent),
		denied("have oneself traced", unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, uintptr(os.Getpid())),
		denied("read memory across processes", unix.SYS_PROCESS_VM_READV, parent),
		denied("write memory across processes", unix.SYS_PROCESS_VM_WRITEV, parent),
		denied("advise on memory of another", unix.SYS_PROCESS_MADVISE, bad),
		denied("compare with another", unix.SYS_KCMP, parent, uintptr(os.Getpid()), 99),
		denied("signal another process", unix.SYS_KILL, parent, 0),
		denied("signal the first process", unix.SYS_KILL, 1, 0),
		// The kernel reports success even if the signal reached nobody.
		denied("signal everybody", unix.SYS_KILL, bad, 0).but(kindStarter, kindPayload),
		denied("signal a thread of another", unix.SYS_TGKILL, parent, parent, 0),
		denied("signal a thread by number", unix.SYS_TKILL, parent, 0),
		denied("open another process", unix.SYS_PIDFD_OPEN, parent, 0),
		denied("signal an open process", unix.SYS_PIDFD_SEND_SIGNAL, bad, 0, 0, 0),
		denied("take a descriptor of another", unix.SYS_PIDFD_GETFD, bad, 0, 0),
		denied("have another one signalled", unix.SYS_FCNTL, 0, unix.F_SETOWN, parent),
		denied("limit another process", unix.SYS_PRLIMIT64, parent, unix.RLIMIT_NOFILE, 0, 0),
		denied("slow another process down", unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, parent, 0),
		denied("move another process to a processor", unix.SYS_SCHED_SETAFFINITY, parent, 0, 0),
		// flags that cannot be combined
		denied("start a process", unix.SYS_CLONE, unix.CLONE_SIGHAND).but(kindStarter, kindPayload),
		{name: "start a process the new way", want: unix.ENOSYS,
			try: func(*prey) error { return raw(unix.SYS_CLONE3, 0, 0) }},
		{name: "execute oneself", want: unix.EPERM, except: []string{kindStarter, kindPayload},
			try: func(*prey) error { return execute("/proc/self/exe-not-there") }},
		{name: "execute a program", want: unix.EACCES, try: func(p *prey) error {
			err := execute(p.Dir + "/program")
			if err == unix.EPERM { // refused by the filter, before the paths are checked
				return unix.EACCES
			}
			return err
		}},
		denied("execute an open program", unix.SYS_EXECVEAT, bad, 0, 0, 0, unix.AT_EMPTY_PATH),
		{name: "make a file to execute", want: unix.EPERM, except: []string{kindStarter},
			try: func(*prey) error { return closing(unix.MemfdCreate("probe", unix.MFD_CLOEXEC)) }},
	}
}

// raw makes a system call with arguments that the kernel rejects if the call is not refused before.
func raw(number uintptr, arguments ...uintptr) error {
	var a [6]uintptr
	copy(a[:], arguments)
	if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

// execute tries to execute a program with arguments that the kernel rejects after it has found the program.
func execute(path string) error {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	return raw(unix.SYS_EXECVE, uintptr(unsafe.Pointer(name)), 1, 1) // 1 is not a valid address
}
