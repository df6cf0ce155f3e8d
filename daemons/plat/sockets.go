package plat

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// backlog is how many connections wait in the queue of a listening socket; the kernel lowers it to its own limit.
const backlog = 4096

// ListenTCP opens a listening TCP socket on all addresses of this machine, of IPv6 and IPv4. It is blocking, as
// programs expect that are handed one. Multipath TCP is not used: nothing that confines programs would see it.
func ListenTCP(port uint16) (*os.File, error) {
	f, err := listenTCP(unix.AF_INET6, &unix.SockaddrInet6{Port: int(port)})
	if err == unix.EAFNOSUPPORT || err == unix.EADDRNOTAVAIL { // this machine has no IPv6
		f, err = listenTCP(unix.AF_INET, &unix.SockaddrInet4{Port: int(port)})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on tcp/%d: %w", port, err)
	}
	return f, nil
}

func listenTCP(family int, address unix.Sockaddr) (*os.File, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "listener")
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	if err == nil {
		err = unix.Bind(fd, address)
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// A socketOption is one that programs may set on the sockets that they are handed, and on the connections from them.
type socketOption struct{ level, name uint32 }

// socketOptions are all of them: those of connections. What they set on a listening socket, its successors inherit, so
// each is one that can be read and set back. There is none that filters, authenticates or redirects connections.
func socketOptions() []socketOption {
	return []socketOption{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.SOL_SOCKET, unix.SO_LINGER},
		{unix.SOL_SOCKET, unix.SO_RCVTIMEO}, {unix.SOL_SOCKET, unix.SO_SNDTIMEO},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.IPPROTO_TCP, unix.TCP_CORK},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}, {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
		{unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT},
	}
}

// of reads the option as the kernel has it, whatever its type is.
func (o socketOption) of(fd int) ([]byte, error) {
	value := make([]byte, 64)
	size := uint32(len(value))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(o.level), uintptr(o.name),
		uintptr(unsafe.Pointer(&value[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return nil, errno
	}
	return value[:size], nil
}

// Renew makes a listening socket that a program has had what it was when it was opened, without touching the
// connections in its queue. It fails if the socket no longer listens.
func Renew(listener *os.File) error {
	fd := int(listener.Fd()) // which makes it blocking again
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 {
		return fmt.Errorf("cannot renew listener: it does not listen any more")
	}
	model, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return err
	}
	defer unix.Close(model)
	for _, o := range socketOptions() {
		if o.name == unix.SO_REUSEADDR && o.level == unix.SOL_SOCKET {
			continue // set on ours, and of no effect once it is bound
		}
		value, err := o.of(model)
		if err == nil {
			err = unix.SetsockoptString(fd, int(o.level), int(o.name), string(value))
		}
		if err != nil {
			return fmt.Errorf("cannot renew listener: option %d/%d: %w", o.level, o.name, err)
		}
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0); err != nil {
		return err
	}
	return unix.Listen(fd, backlog)
}

// FirstPort is the lowest port that this process may listen on (ip(7), ip_unprivileged_port_start).
func FirstPort() uint16 {
	if ownPowers().has(unix.CAP_NET_BIND_SERVICE) {
		return 1
	}
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return 1024
	}
	first, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16)
	if err != nil {
		return 1024
	}
	return uint16(max(first, 1))
}
