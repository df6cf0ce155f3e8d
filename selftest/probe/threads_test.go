package probe

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// around is how many thread numbers are tried on either side of the known ones; atMost bounds how many are tried
// between them.
const (
	around = 200
	atMost = 20_000
)

// threads returns attempts on single threads by number, known or guessed, because a signal that ends a thread ends its
// process; and attempts on the process group and session, through which other processes can be found.
func threads() []attempt {
	guess := func(name string, try func(p *prey, thread int) error) attempt {
		return attempt{name: name, want: unix.EPERM, try: func(p *prey) error { return guessing(p, try) }}
	}
	return []attempt{
		guess("signal any thread of the starter",
			func(_ *prey, thread int) error { return unix.Tgkill(os.Getppid(), thread, 0) }),
		guess("signal any thread of who started that",
			func(p *prey, thread int) error { return unix.Tgkill(p.Parent, thread, 0) }),
		guess("signal any thread as a process",
			func(_ *prey, thread int) error { return unix.Tgkill(thread, thread, 0) }),
		guess("signal any thread by number",
			func(_ *prey, thread int) error { return raw(unix.SYS_TKILL, uintptr(thread), 0) }),
		guess("signal any process", func(_ *prey, thread int) error { return unix.Kill(thread, 0) }),
		guess("signal any process with a value",
			func(_ *prey, thread int) error { return queue(unix.SYS_RT_SIGQUEUEINFO, uintptr(thread), 0) }),
		guess("signal any thread with a value", func(_ *prey, thread int) error {
			return queue(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(os.Getppid()), uintptr(thread), 0)
		}),
		nobody("ask for a thread", unix.SYS_TGKILL, none, none),
		nobody("ask for a thread by number", unix.SYS_TKILL, none),
		nobody("ask for a process with a value", unix.SYS_RT_SIGQUEUEINFO, none),
		nobody("ask for a thread with a value", unix.SYS_RT_TGSIGQUEUEINFO, none, none),
		{name: "join the group of the session", want: unix.EPERM, try: func(*prey) error {
			session, err := unix.Getsid(0)
			if err != nil {
				return err
			}
			return leaving(unix.Setpgid(0, session))
		}},
		{name: "begin a session", want: unix.EPERM, try: func(*prey) error {
			_, err := unix.Setsid()
			return leaving(err)
		}},
	}
}

// none is a number that no process has; the largest is 1<<22 (proc_sys_kernel(5)).
const none = 1 << 30

// nobody returns an attempt on a process that does not exist. The kernel would say so, but the filter must refuse the
// call first.
func nobody(name string, number uintptr, arguments ...uintptr) attempt {
	return attempt{name: name, want: unix.EPERM, except: []string{kindStarter},
		try: func(*prey) error { return queue(number, append(arguments, 0)...) }}
}

// guessing tries all numbers around those of this process and its starters. It succeeds if it reaches another process.
// A number that nobody has counts as refused if another was refused.
func guessing(p *prey, try func(p *prey, thread int) error) error {
	own, known := os.Getpid(), []int{os.Getpid(), os.Getppid(), p.Parent}
	first, last := own, own
	for _, pid := range known {
		first, last = min(first, pid-around), max(last, pid+around)
	}
	outcome := error(unix.ESRCH)
	for thread := max(1, first, last-atMost); thread <= last; thread++ {
		if unix.Tgkill(own, thread, 0) == nil {
			continue // one of the probe's own threads
		}
		switch err := try(p, thread); err {
		case nil:
			return nil
		case unix.ESRCH:
		default:
			outcome = err
		}
	}
	return outcome
}

// leaving returns EPERM if the process is still in the group in which it was started, whatever the call returned.
func leaving(err error) error {
	session, failed := unix.Getsid(0)
	if group := unix.Getpgrp(); err == nil && failed == nil && group == os.Getpid() && session != os.Getpid() {
		return unix.EPERM
	}
	return err
}

// queue returns an attempt with rt_sigqueueinfo(2) or a similar call: a signal from this process, with a value. The
// address of the value is the last argument.
func queue(number uintptr, arguments ...uintptr) error {
	info := &unix.Siginfo{Code: siQueue}
	var pinner runtime.Pinner
	pinner.Pin(info)
	defer pinner.Unpin()
	return raw(number, append(arguments, uintptr(unsafe.Pointer(info)))...)
}

// siQueue is SI_QUEUE (asm-generic/siginfo.h).
const siQueue = -1
