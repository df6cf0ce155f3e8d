package plat

import (
	"slices"

	"golang.org/x/sys/unix"
)

// A CallSet names a set of system calls.
type CallSet string

// The sets. Those of payloads are within that of the spawner: what a process starts can have no more than itself.
const (
	// a Go program, files below granted directories, sockets that it was handed; it starts nothing
	CallsDaemon  CallSet = "daemon"
	CallsSpawner CallSet = "spawner" // besides: start and signal processes, and confine them further
	CallsPayload CallSet = "payload" // a program of any language; it may start threads and copies of itself
	CallsServer  CallSet = "server"  // besides: accept connections on sockets that it was handed
	// besides: make sockets, each of which is the listening one that its starter has for it (Command.Socket)
	CallsBinder CallSet = "binder"
	CallsDoor   CallSet = "door" // a daemon that accepts connections on a socket that it was handed
	// a daemon that connects to other machines, and may bound what the kernel receives for it (Confinement.Connect)
	CallsClient CallSet = "client"
)

// rules are the rules of a set for the process of that number, while its program is started. Settle takes more away
// once a daemon runs.
func (s CallSet) rules(pid uint32) []rule {
	switch s {
	case CallsDaemon, CallsClient:
		rules := append([]rule{{number: unix.SYS_IOCTL, when: []condition{
			{1, whole, append(ioctls(), verityCalls()...)}}}}, allowed(runtimeCalls(), fileCalls(), channelCalls())...)
		rules = append(append(rules, commonRules(takingCalls())...), threadRules(pid)...)
		return append(rules, ownLimits())
	case CallsPayload:
		rules := append(allowed(runtimeCalls(), fileCalls(), channelCalls(), programCalls()),
			programRules(takingCalls())...)
		return append(append(append(rules, threadRules(pid)...), groupRules()...), ownLimits())
	case CallsServer: // the first rule for a call counts
		return append(append(serverRules(), allowed(serverCalls())...), CallsPayload.rules(pid)...)
	case CallsBinder:
		return append(binderRules(), CallsServer.rules(pid)...)
	case CallsDoor:
		return append(append(serverRules(), allowed(serverCalls())...), CallsDaemon.rules(pid)...)
	case CallsSpawner:
		controls := slices.Concat(ioctls(), notifyCalls(), verityCalls())
		rules := append(fastOpenRules(), rule{number: unix.SYS_SOCKET, when: plainTCP()},
			rule{number: unix.SYS_IOCTL, when: []condition{{1, whole, controls}}})
		rules = append(rules, allowed(runtimeCalls(), fileCalls(), channelCalls(), programCalls(), spawnerCalls(),
			threadCalls(), serverCalls())...)
		rules = append(rules, programRules(append(takingCalls(), spawnerPrctl()...))...)
		return append(append(rules, spawnerRules()...), ownLimits())
	default:
		return nil
	}
}

// callRules are the rules of the confinement's set, and those on connecting, which come first.
func (c Confinement) callRules(pid uint32) []rule {
	rules := c.Calls.rules(pid)
	switch {
	case len(c.Connect) == 0 || len(rules) == 0:
		return rules
	case c.Calls == CallsSpawner:
		return append([]rule{{number: unix.SYS_CONNECT}, {number: unix.SYS_SETSOCKOPT, never: otherProtocols()}},
			rules...)
	case c.Calls == CallsClient:
		return append(clientRules([]condition{{1, whole, []uint32{unix.SOL_SOCKET}},
			{2, whole, []uint32{unix.SO_RCVBUF}}}),
			rules...)
	default:
		return append(clientRules(), rules...)
	}
}

// allowed allows calls whatever their arguments. A call may be in several lists.
func allowed(lists ...[]uint32) []rule {
	var rules []rule
	seen := map[uint32]bool{}
	for _, list := range lists {
		for _, number := range list {
			if !seen[number] {
				seen[number] = true
				rules = append(rules, rule{number: number})
			}
		}
	}
	return rules
}

// namespaces are the flags of clone(2) that make one; a new user namespace would give capabilities.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// takingCalls are the operations of prctl(2) that take power away, or name a thread or a piece of memory.
func takingCalls() []uint32 {
	return []uint32{
		unix.PR_SET_NAME, unix.PR_GET_NAME, unix.PR_SET_VMA, unix.PR_SET_PDEATHSIG, unix.PR_SET_DUMPABLE,
		unix.PR_GET_DUMPABLE,
		unix.PR_SET_NO_NEW_PRIVS, unix.PR_GET_NO_NEW_PRIVS, unix.PR_CAPBSET_READ,
	}
}

// spawnerPrctl are those by which execd takes power away from payloads, and reaps their orphans.
func spawnerPrctl() []uint32 {
	return []uint32{unix.PR_SET_CHILD_SUBREAPER, unix.PR_CAPBSET_DROP, unix.PR_CAP_AMBIENT, unix.PR_SET_KEEPCAPS}
}

// Requests of ioctl(2) that x/sys has no names for (asm-generic/ioctls.h).
const (
	fioNonBlocking = 0x5421
	fioCloseOnExec = 0x5451
)

// ioctls are the requests that tell something, or that durable files are copied with: none that changes a device.
func ioctls() []uint32 {
	return []uint32{unix.TCGETS, unix.TIOCGWINSZ, unix.TIOCGPGRP, unix.TIOCINQ, fioNonBlocking, fioCloseOnExec,
		unix.SIOCOUTQ, unix.FICLONE, unix.FICLONERANGE}
}

// verityCalls are the requests by which a file is verified by the kernel (type Verity). What they do to a file, whoever
// may write to it could do as well.
func verityCalls() []uint32 { return []uint32{unix.FS_IOC_ENABLE_VERITY, unix.FS_IOC_MEASURE_VERITY} }

// fcntls are the operations that work on descriptors and locks: none that has the kernel send a signal to another
// process.
func fcntls() []uint32 {
	return []uint32{
		unix.F_DUPFD, unix.F_DUPFD_CLOEXEC, unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_SETFL, unix.F_GETLK,
		unix.F_SETLK, unix.F_SETLKW,
		unix.F_OFD_GETLK, unix.F_OFD_SETLK, unix.F_OFD_SETLKW, unix.F_ADD_SEALS, unix.F_GET_SEALS, unix.F_GETPIPE_SZ,
	}
}

// commonRules are the calls of all sets that only some arguments make harmless.
func commonRules(prctl []uint32) []rule {
	return []rule{
		{number: unix.SYS_CLONE, when: []condition{{0, namespaces, []uint32{0}}}},
		// its flags are in memory, which a filter cannot see; C libraries then use clone
		{number: unix.SYS_CLONE3, refuse: unix.ENOSYS},
		{number: unix.SYS_PRCTL, when: []condition{{0, whole, prctl}}},
		{number: unix.SYS_IOCTL, when: []condition{{1, whole, ioctls()}}},
		{number: unix.SYS_FCNTL, when: []condition{{1, whole, fcntls()}}},
	}
}

// programRules are those of programs that are no daemons.
func programRules(prctl []uint32) []rule {
	rules := append(commonRules(prctl), rule{number: unix.SYS_SOCKETPAIR,
		when: []condition{{0, whole, []uint32{unix.AF_UNIX}}}})
	self := []uint32{0}
	rules = append(rules, rule{number: unix.SYS_SETPRIORITY, when: []condition{{0, whole, []uint32{unix.PRIO_PROCESS}},
		{1, whole, self}}})
	for _, number := range []uint32{unix.SYS_SCHED_SETAFFINITY, unix.SYS_SCHED_SETSCHEDULER, unix.SYS_SCHED_SETPARAM} {
		rules = append(rules, rule{number: number, when: []condition{{0, whole, self}}})
	}
	return rules
}

// ownLimits keeps a process to its own limits, which it can only lower: nothing has the power to raise them.
func ownLimits() rule {
	return rule{number: unix.SYS_PRLIMIT64, when: []condition{{0, whole, []uint32{0}}}}
}

// threadCalls signal threads by their numbers, or carry a value with a signal.
func threadCalls() []uint32 {
	return []uint32{unix.SYS_TGKILL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO}
}

// threadRules leave a process these within itself. The spawner is without them: what it starts has another number, and
// would be left none.
func threadRules(pid uint32) []rule {
	var rules []rule
	for _, number := range threadCalls() {
		rules = append(rules, rule{number: number, when: []condition{{0, whole, []uint32{pid}}}})
	}
	return rules
}

// groupRules keep a payload and all that it starts in one process group, so that one signal ends them all. Programs
// leave their group, or make a session, without a need to, and give up where they cannot; so they are told that they
// have.
func groupRules() []rule {
	return []rule{{number: unix.SYS_SETPGID, pretend: true}, {number: unix.SYS_SETSID, pretend: true}}
}

// spawnerRules let execd start a process in a group of its own, become a payload's user, and nobody else.
func spawnerRules() []rule {
	payload := func(argument uint32) condition {
		return condition{argument, ^uint32(payloadUsers - 1), []uint32{FirstPayloadUser}}
	}
	return []rule{
		{number: unix.SYS_SETPGID, when: []condition{{0, whole, []uint32{0}}, {1, whole, []uint32{0}}}},
		{number: unix.SYS_SETGROUPS, when: []condition{{0, whole, []uint32{0}}}},
		{number: unix.SYS_SETRESUID, when: []condition{payload(0), payload(1), payload(2)}},
		{number: unix.SYS_SETRESGID, when: []condition{payload(0), payload(1), payload(2)}},
	}
}

// runtimeCalls are what Go's runtime needs, and little else: memory, threads, signals of its own, time, waiting.
func runtimeCalls() []uint32 {
	return append(machineCalls(), []uint32{
		unix.SYS_BRK, unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MREMAP, unix.SYS_MADVISE,
		unix.SYS_MINCORE,
		unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_FUTEX, unix.SYS_SET_ROBUST_LIST, unix.SYS_GET_ROBUST_LIST,
		unix.SYS_RSEQ, unix.SYS_SET_TID_ADDRESS,
		unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_GETCPU, unix.SYS_MEMBARRIER,
		unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
		unix.SYS_RESTART_SYSCALL,
		unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETPPID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID,
		unix.SYS_GETEGID, unix.SYS_GETGROUPS,
		unix.SYS_GETRESUID, unix.SYS_GETRESGID, unix.SYS_GETPGID, unix.SYS_GETSID, unix.SYS_GETRUSAGE, unix.SYS_UNAME,
		unix.SYS_SYSINFO, unix.SYS_GETCWD,
		unix.SYS_CAPGET, unix.SYS_SETITIMER,
		unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_NANOSLEEP,
		unix.SYS_GETTIMEOFDAY,
		unix.SYS_TIMER_CREATE, unix.SYS_TIMER_SETTIME, unix.SYS_TIMER_GETTIME, unix.SYS_TIMER_DELETE,
		unix.SYS_TIMERFD_CREATE, unix.SYS_TIMERFD_SETTIME, unix.SYS_TIMERFD_GETTIME,
		unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2, unix.SYS_PPOLL,
		unix.SYS_PSELECT6,
		unix.SYS_GETRANDOM,
	}...)
}

// fileCalls work on descriptors, and on paths as far as the rules on paths let them.
func fileCalls() []uint32 {
	return []uint32{
		unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_PWRITE64,
		unix.SYS_LSEEK, unix.SYS_CLOSE, unix.SYS_CLOSE_RANGE,
		unix.SYS_DUP, unix.SYS_DUP3, unix.SYS_PIPE2, unix.SYS_SENDFILE, unix.SYS_SPLICE, unix.SYS_COPY_FILE_RANGE,
		unix.SYS_OPENAT, unix.SYS_FSTAT, unix.SYS_STATX, unix.SYS_STATFS, unix.SYS_FSTATFS, unix.SYS_READLINKAT,
		unix.SYS_GETDENTS64,
		unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_MKDIRAT, unix.SYS_UNLINKAT, unix.SYS_RENAMEAT2,
		unix.SYS_LINKAT, unix.SYS_SYMLINKAT,
		unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_SYNC_FILE_RANGE,
		unix.SYS_FADVISE64, unix.SYS_FLOCK,
		unix.SYS_UMASK, // no call changes modes, owners or times by path: no rule on paths would hold them
	}
}

// channelCalls are for sockets that were handed over, and for what happens between the confinement and the program's
// first instruction.
func channelCalls() []uint32 {
	return []uint32{
		unix.SYS_SENDMSG, unix.SYS_RECVMSG, unix.SYS_SENDTO, unix.SYS_RECVFROM, unix.SYS_SHUTDOWN,
		unix.SYS_GETSOCKOPT, unix.SYS_SETSOCKOPT, unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME,
		unix.SYS_EXECVE, unix.SYS_SECCOMP,
	}
}

// serverCalls take connections from a listening socket that was handed over.
func serverCalls() []uint32 { return []uint32{unix.SYS_ACCEPT, unix.SYS_ACCEPT4} }

// plainTCP is for calls of socket(2): TCP of IPv4 or IPv6, and neither multipath TCP nor anything else that the
// kernel's rules on TCP would not see.
func plainTCP() []condition {
	return []condition{
		{0, whole, []uint32{unix.AF_INET, unix.AF_INET6}},
		{1, ^uint32(unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC), []uint32{unix.SOCK_STREAM}},
		{2, whole, []uint32{0, unix.IPPROTO_TCP}},
	}
}

// fastOpenRules keep a process from connecting by the first bytes that it sends, which no rule on connecting sees.
func fastOpenRules() []rule {
	without := func(number, flags uint32) rule {
		return rule{number: number, when: []condition{{flags, unix.MSG_FASTOPEN, []uint32{0}}}}
	}
	return []rule{without(unix.SYS_SENDTO, 3), without(unix.SYS_SENDMSG, 2), without(unix.SYS_SENDMMSG, 3)}
}

// otherProtocols are the calls of setsockopt(2) that make another protocol of a TCP socket, whose connections no rule
// on TCP sees (SMC).
func otherProtocols() [][]condition {
	return [][]condition{{{1, whole, []uint32{unix.IPPROTO_TCP}}, {2, whole, []uint32{unix.TCP_ULP}}}}
}

// clientRules let a program make TCP sockets and connect them, to ports that Landlock keeps it to: neither by the first
// bytes that it sends, nor with options that would take the socket out of its sight. It can bind none.
func clientRules(options ...[]condition) []rule {
	return append(fastOpenRules(), rule{number: unix.SYS_SOCKET, when: plainTCP()}, rule{number: unix.SYS_CONNECT},
		rule{number: unix.SYS_SETSOCKOPT, either: append(serverOptions(), options...), feign: ownOptions()})
}

// ownOptions are the calls of setsockopt(2) that programs make for a socket of their own and that need no effect.
func ownOptions() [][]condition {
	return [][]condition{
		{{1, whole, []uint32{unix.IPPROTO_IPV6}}, {2, whole, []uint32{unix.IPV6_V6ONLY}}},
		{{1, whole, []uint32{unix.SOL_SOCKET}}, {2, whole, []uint32{unix.SO_REUSEPORT}}},
	}
}

// binderRules give a program its listening socket when it makes one, and let it believe that it has bound it.
func binderRules() []rule {
	return []rule{
		{number: unix.SYS_SOCKET, when: plainTCP(), ask: true}, {number: unix.SYS_BIND, pretend: true},
		{number: unix.SYS_SETSOCKOPT, either: serverOptions(), feign: ownOptions()},
	}
}

// serverRules keep a program that was handed a listening socket from making anything else of it: from taking it out of
// its state, which would allow it to connect, from connecting by the first bytes that it sends, and from options that
// would outlast it (socketOptions). Its successor gets the same socket. It listens already, with the system's backlog.
func serverRules() []rule {
	return append(fastOpenRules(),
		rule{number: unix.SYS_SHUTDOWN, when: []condition{{1, whole, []uint32{unix.SHUT_WR}}}},
		rule{number: unix.SYS_SETSOCKOPT, either: serverOptions()}, rule{number: unix.SYS_LISTEN, pretend: true})
}

// serverOptions are for calls of setsockopt(2).
func serverOptions() (options [][]condition) {
	for _, level := range []uint32{unix.SOL_SOCKET, unix.IPPROTO_TCP} {
		var names []uint32
		for _, o := range socketOptions() {
			if o.level == level {
				names = append(names, o.name)
			}
		}
		options = append(options, []condition{{1, whole, []uint32{level}}, {2, whole, names}})
	}
	return options
}

// programCalls are what programs of other languages use besides, in the course of nature.
func programCalls() []uint32 {
	return append(machineProgramCalls(), []uint32{
		unix.SYS_WAIT4, unix.SYS_WAITID, unix.SYS_KILL, unix.SYS_CHDIR, unix.SYS_PREADV, unix.SYS_PWRITEV,
		unix.SYS_PREADV2, unix.SYS_PWRITEV2,
		unix.SYS_MLOCK, unix.SYS_MLOCK2, unix.SYS_MUNLOCK, unix.SYS_MSYNC, unix.SYS_GETPRIORITY,
		unix.SYS_SCHED_GETPARAM, unix.SYS_SCHED_GETSCHEDULER, unix.SYS_SCHED_GET_PRIORITY_MAX,
		unix.SYS_SCHED_GET_PRIORITY_MIN,
		unix.SYS_RT_SIGPENDING, unix.SYS_RT_SIGTIMEDWAIT, unix.SYS_RT_SIGSUSPEND, unix.SYS_SIGNALFD4,
		unix.SYS_GETITIMER,
		unix.SYS_EPOLL_PWAIT2, unix.SYS_FUTEX_WAITV, unix.SYS_TIMES, unix.SYS_TEE, unix.SYS_FCHDIR, unix.SYS_TRUNCATE,
		unix.SYS_OPENAT2,
		unix.SYS_SENDMMSG, unix.SYS_RECVMMSG,
	}...)
}

// spawnerCalls are what it takes to run a payload from memory, to look after it, and to confine it.
func spawnerCalls() []uint32 {
	return []uint32{
		unix.SYS_MEMFD_CREATE,
		unix.SYS_LANDLOCK_CREATE_RULESET, unix.SYS_LANDLOCK_ADD_RULE, unix.SYS_LANDLOCK_RESTRICT_SELF,
		unix.SYS_CAPSET,
	}
}
