package main

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
	call := func(name string, try func(p *prey) error, except ...string) attempt {
		return attempt{name: name, want: unix.EPERM, try: try, except: except}
	}
	return []attempt{
		call("trace another process", func(p *prey) error {
			return raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE,
				uintptr(p.Parent))
		}),
		call("have oneself traced", func(*prey) error {
			return raw(unix.SYS_PTRACE, unix.PTRACE_PEEKDATA,
				uintptr(os.Getpid()))
		}),
		call("read memory across processes", func(p *prey) error {
			return raw(unix.SYS_PROCESS_VM_READV,
				uintptr(p.Parent))
		}),
		call("write memory across processes", func(p *prey) error {
			return raw(unix.SYS_PROCESS_VM_WRITEV,
				uintptr(p.Parent))
		}),
		call("advise on memory of another", func(*prey) error { return raw(unix.SYS_PROCESS_MADVISE, bad) }),
		call("compare with another", func(p *prey) error {
			return raw(unix.SYS_KCMP, uintptr(p.Parent),
				uintptr(os.Getpid()), 99)
		}),
		call("signal another process", func(p *prey) error { return unix.Kill(p.Parent, 0) }),
		call("signal the first process", func(*prey) error { return unix.Kill(1, 0) }),
		// The kernel reports success even if the signal reached nobody.
		call("signal everybody", func(*prey) error { return unix.Kill(-1, 0) }, kindStarter, kindPayload),
		call("signal a thread of another", func(p *prey) error { return unix.Tgkill(p.Parent, p.Parent, 0) }),
		call("signal a thread by number", func(p *prey) error { return raw(unix.SYS_TKILL, uintptr(p.Parent), 0) }),
		call("open another process", func(p *prey) error { return closing(unix.PidfdOpen(p.Parent, 0)) }),
		call("signal an open process", func(*prey) error { return unix.PidfdSendSignal(-1, 0, nil, 0) }),
		call("take a descriptor of another", func(*prey) error { return closing(unix.PidfdGetfd(-1, 0, 0)) }),
		call("have another one signalled", func(p *prey) error {
			_, err := unix.FcntlInt(0, unix.F_SETOWN, p.Parent)
			return err
		}),
		call("limit another process", func(p *prey) error {
			var now unix.Rlimit
			return unix.Prlimit(p.Parent, unix.RLIMIT_NOFILE, nil, &now)
		}),
		call("slow another process down", func(p *prey) error {
			return unix.Setpriority(unix.PRIO_PROCESS, p.Parent,
				0)
		}),
		call("move another process to a processor", func(p *prey) error {
			var set unix.CPUSet
			set.Zero()
			return unix.SchedSetaffinity(p.Parent, &set)
		}),
		call("start a process", func(*prey) error { return fork() }, kindStarter, kindPayload),
		{name: "start a process the new way", want: unix.ENOSYS,
			try: func(*prey) error { return raw(unix.SYS_CLONE3, 0, 0) }},
		call("execute oneself", func(*prey) error { return execute("/proc/self/exe-not-there") }, kindStarter,
			kindPayload),
		{name: "execute a program", want: unix.EACCES, except: nil, try: func(p *prey) error {
			err := execute(p.Dir + "/program")
			if err == unix.EPERM { // refused by the filter, before the paths are checked
				return unix.EACCES
			}
			return err
		}},
		call("execute an open program", func(*prey) error {
			return raw(unix.SYS_EXECVEAT, bad, 0, 0, 0,
				unix.AT_EMPTY_PATH)
		}),
		call("make a file to execute",
			func(*prey) error { return closing(unix.MemfdCreate("probe", unix.MFD_CLOEXEC)) }, kindStarter),
	}
}

// bad is an invalid descriptor.
const bad = ^uintptr(0)

// raw makes a system call with arguments that the kernel rejects if the call is not refused before.
func raw(number uintptr, arguments ...uintptr) error {
	var a [6]uintptr
	copy(a[:], arguments)
	if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

// fork tries to start a process with a combination of flags that the kernel rejects.
func fork() error { return raw(unix.SYS_CLONE, unix.CLONE_SIGHAND) }

// execute tries to execute a program with arguments that the kernel rejects after it has found the program.
func execute(path string) error {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	return raw(unix.SYS_EXECVE, uintptr(unsafe.Pointer(name)), 1, 1) // 1 is not a valid address
}
