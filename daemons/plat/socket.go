package plat

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// StreamPair makes two ends of a connected stream socket, closed on exec.
func StreamPair() (a, b *os.File, err error) { return pair(unix.SOCK_STREAM) }

// PacketPair makes two ends of a connected SOCK_SEQPACKET socket, closed on exec: one write is one packet, order is
// kept, and the end of one side is end of file on the other.
func PacketPair() (a, b *os.File, err error) { return pair(unix.SOCK_SEQPACKET) }

func pair(kind int) (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket"), nil
}

// Pipe makes a pipe, closed on exec, whose ends do not block: closing a file, or its deadline, ends a read or a write.
func Pipe() (out, in *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, nil, fmt.Errorf("cannot make pipe: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}

// Unread returns how much of what was written to a unix stream socket its peer has not read yet, in the kernel's own
// accounting: zero exactly when the peer has read everything.
func Unread(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var ioctlErr error
	err = raw.Control(func(fd uintptr) { n, ioctlErr = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err == nil {
		err = ioctlErr
	}
	return n, err
}
