package plat

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Many programs know nothing of sockets that are handed over: they make their own, bind it and listen. Such a program
// gets the listening socket that the system has opened for it as the answer to socket(2), and is told that bind(2) and
// listen(2) have succeeded. So it serves on exactly that port, whatever it asks for, and the socket outlives it. The
// kernel could bound bind(2) by port, but not listen(2) on a socket that was never bound.

// A notification is a system call that waits for its answer (struct seccomp_notif).
type notification struct {
	id         uint64
	pid, flags uint32
	number     int32
	arch       uint32
	at         uint64
	arguments  [6]uint64
}

// A giving answers a call with a descriptor (struct seccomp_notif_addfd).
type giving struct {
	id              uint64
	flags, from     uint32
	descriptor, has uint32
}

// A verdict answers a call with an error (struct seccomp_notif_resp).
type verdict struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

// answerSockets answers each socket that a program makes with the same one. It ends, and closes both descriptors, when
// no process is left that could ask.
func answerSockets(asked *os.File, listener int) {
	defer asked.Close()
	defer unix.Close(listener)
	conn, err := asked.SyscallConn()
	if err != nil {
		return
	}
	conn.Read(func(fd uintptr) (done bool) {
		for {
			// Receive only what has arrived: receiving blocks, and the process that asked may be killed meanwhile.
			state := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(state, 0)
			switch {
			case err == unix.EINTR:
				continue
			case err != nil, state[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0:
				return true
			case n == 0:
				return false
			}
			answerSocket(fd, listener)
		}
	})
}

// answerSocket answers one call. One that is interrupted, or whose process has ended, is not there any more.
func answerSocket(asked uintptr, listener int) {
	var call notification
	if notify(asked, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&call)) != nil {
		return
	}
	kind := call.arguments[1]
	give := giving{id: call.id, flags: unix.SECCOMP_ADDFD_FLAG_SEND, from: uint32(listener),
		has: uint32(kind & unix.SOCK_CLOEXEC)}
	var err error
	if kind&unix.SOCK_NONBLOCK != 0 {
		err = unix.SetNonblock(listener, true)
	}
	if err == nil {
		err = notify(asked, unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&give))
	}
	if err != nil {
		no := verdict{id: call.id, err: -int32(unix.EACCES)}
		notify(asked, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&no))
	}
}

func notify(asked, request uintptr, argument unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, asked, request, uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}

// notifyCalls are the requests of ioctl(2) by which a starter answers.
func notifyCalls() []uint32 {
	return []uint32{unix.SECCOMP_IOCTL_NOTIF_RECV, unix.SECCOMP_IOCTL_NOTIF_SEND, unix.SECCOMP_IOCTL_NOTIF_ADDFD}
}
