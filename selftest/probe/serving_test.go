package probe

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"nexus/daemons/plat"
)

// The kinds of payloads with a power.
const (
	kindServer = "server" // several listening sockets, of which it is handed one here
	kindBinder = "binder" // one listening socket, which it is handed, and gets as well when it makes one
	kindClient = "client" // it may connect to grantedPort
	kindLent   = "device" // a device, which it is handed for reading
)

// grantedPort is a port at which nobody needs to listen.
const grantedPort = 9

// empowered lists the kinds of payloads with a power.
func empowered() []string { return []string{kindServer, kindBinder, kindClient, kindKeeper, kindLent} }

// empower grants a kind of payload its powers, as execd does.
func empower(kind string, cmd *plat.Command, socket, device *os.File) {
	switch kind {
	case kindServer:
		cmd.Confinement.Calls = plat.CallsServer
	case kindBinder:
		cmd.Confinement.Calls, cmd.Socket = plat.CallsBinder, socket
	case kindClient:
		cmd.Confinement.Connect = reach(kind)
		return
	case kindKeeper:
		cmd.Confinement.Paths = append(cmd.Confinement.Paths, stateRule(os.Getenv(envBundles)),
			treeRule(os.Getenv(envTrees)))
		return
	case kindLent:
		cmd.Extra = append(cmd.Extra, device)
		return
	default:
		return
	}
	cmd.Extra = append(cmd.Extra, socket)
}

// reach is what a kind of payload may connect to, and so the starter that starts it.
func reach(kind string) []plat.PortRange {
	if kind == kindClient {
		return []plat.PortRange{{First: grantedPort, Last: grantedPort}}
	}
	return nil
}

// Daemons with a network: the one to which operators connect, and the one that connects to registries.
const (
	kindDoor    = "remoted"
	kindFetcher = "fetchd"
)

// socketFD is the descriptor of its socket.
const socketFD = 4

// serving returns attempts to accept connections, which only a server may, and what a server may not do to its socket.
func serving() []attempt {
	accept := attempt{name: "accept a connection", want: unix.EPERM,
		try: func(*prey) error { return accepts(os.Stdin) }}
	all := []attempt{
		accept.but(kindServer, kindBinder, kindStarter, kindDoor),
		denied("listen", unix.SYS_LISTEN, 0, 1).but(kindServer, kindBinder, kindDoor),
	}
	for _, a := range onSocket() {
		a.name, a.only = "own socket: "+a.name, []string{kindServer, kindBinder}
		all = append(all, a)
	}
	return slices.Concat(all, making(), connecting())
}

// connecting returns what a client does with a socket that it makes.
func connecting() []attempt {
	with := func(name string, want syscall.Errno, try func(fd int, p *prey) error) attempt {
		only := []string{kindClient, kindFetcher}
		return attempt{name: "client: " + name, want: want, only: only, try: func(p *prey) error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return try(fd, p)
		}}
	}
	to := func(port int) unix.Sockaddr { return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}} }
	return []attempt{
		with("connect to the port that it was granted", 0, func(fd int, _ *prey) error {
			err := unix.Connect(fd, to(grantedPort))
			if err == unix.ECONNREFUSED || err == unix.ENETUNREACH {
				return nil // nobody is there
			}
			return err
		}),
		with("connect to another port", unix.EACCES, func(fd int, p *prey) error {
			return unix.Connect(fd, to(p.TCP))
		}).but(kindFetcher),
		with("bound what it receives", unix.EPERM, func(fd int, _ *prey) error {
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<16)
		}).but(kindFetcher),
		with("connect by the first bytes", unix.EPERM, func(fd int, p *prey) error {
			return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, to(p.TCP))
		}),
		with("connect by a message", unix.EPERM, func(fd int, p *prey) error {
			return unix.Sendmsg(fd, []byte("x"), nil, to(p.TCP), unix.MSG_FASTOPEN)
		}),
		with("listen", unix.EPERM, func(fd int, _ *prey) error { return unix.Listen(fd, 1) }),
		with("bind", unix.EPERM, func(fd int, _ *prey) error { return unix.Bind(fd, to(0)) }),
		with("make another protocol of it", unix.EPERM, func(fd int, _ *prey) error {
			return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_ULP, "smc")
		}),
		with("choose a device", unix.EPERM, func(fd int, _ *prey) error {
			return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo")
		}),
	}
}

// making returns what a binder does with the socket that it makes, which is its listening socket.
func making() []attempt {
	local := [4]byte{127, 0, 0, 1}
	with := func(name string, want syscall.Errno, try func(fd int) error) attempt {
		return attempt{name: "made socket: " + name, want: want, only: []string{kindBinder}, try: func(*prey) error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return try(fd)
		}}
	}
	return []attempt{
		with("bind and listen", 0, func(fd int) error {
			return errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Port: 1, Addr: local}), unix.Listen(fd, 1))
		}),
		with("is the one it was granted", 0, func(fd int) error {
			made, err := unix.Getsockname(fd)
			granted, err2 := unix.Getsockname(socketFD)
			if err == nil && err2 == nil && !reflect.DeepEqual(made, granted) {
				err = unix.EADDRNOTAVAIL
			}
			return errors.Join(err, err2)
		}),
		with("take a connection", 0, func(fd int) error { return accepts(os.NewFile(uintptr(fd), "made")) }),
		with("connect", unix.EPERM, func(fd int) error {
			return unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: local})
		}),
		with("connect by the first bytes", unix.EPERM, func(fd int) error {
			return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, &unix.SockaddrInet4{Port: 9, Addr: local})
		}),
		with("close for all", unix.EPERM, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_RDWR) }),
		with("option congestion", unix.EPERM, func(fd int) error {
			return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, 1)
		}),
	}
}

// accepts takes a connection from a socket. That there is none to take is an answer, too.
func accepts(socket *os.File) error {
	if err := unix.SetNonblock(int(socket.Fd()), true); err != nil {
		return err
	}
	err := closing(second(unix.Accept4(int(socket.Fd()), unix.SOCK_CLOEXEC)))
	if err == unix.EAGAIN {
		return nil
	}
	return err
}

func second(fd int, _ unix.Sockaddr, err error) (int, error) { return fd, err }

// onSocket returns what a server does with its socket: what it was granted comes first, then what is refused.
func onSocket() []attempt {
	granted := func(name string, try func() error) attempt {
		return attempt{name: name, try: func(*prey) error { return try() }}
	}
	refused := func(name string, try func() error) attempt {
		return attempt{name: name, want: unix.EPERM, try: func(*prey) error { return try() }}
	}
	option := func(name string, level, option int) attempt {
		return refused("option "+name, func() error { return unix.SetsockoptInt(socketFD, level, option, 1) })
	}
	to := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}
	return []attempt{
		granted("accept", func() error { return accepts(os.NewFile(socketFD, "socket")) }),
		granted("listen again", func() error { return unix.Listen(socketFD, 1) }),
		granted("option linger", func() error {
			return unix.SetsockoptLinger(socketFD, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{})
		}),
		refused("bind", func() error { return unix.Bind(socketFD, &unix.SockaddrInet4{}) }).but(kindBinder),
		refused("connect", func() error { return unix.Connect(socketFD, to) }),
		denied("connect to nothing", unix.SYS_CONNECT, socketFD, 0, 0),
		refused("connect by the first bytes", func() error {
			return unix.Sendto(socketFD, []byte("x"), unix.MSG_FASTOPEN, to)
		}),
		refused("connect by a message", func() error {
			return unix.Sendmsg(socketFD, []byte("x"), nil, to, unix.MSG_FASTOPEN)
		}),
		denied("connect by several", unix.SYS_SENDMMSG, socketFD, 0, 0, unix.MSG_FASTOPEN),
		refused("close for reading", func() error { return unix.Shutdown(socketFD, unix.SHUT_RD) }),
		refused("close for all", func() error { return unix.Shutdown(socketFD, unix.SHUT_RDWR) }),
		option("filter", unix.SOL_SOCKET, unix.SO_ATTACH_FILTER),
		option("program", unix.SOL_SOCKET, unix.SO_ATTACH_BPF),
		option("filter for good", unix.SOL_SOCKET, unix.SO_LOCK_FILTER),
		option("shared port", unix.SOL_SOCKET, unix.SO_REUSEPORT).but(kindBinder),
		option("device", unix.SOL_SOCKET, unix.SO_BINDTODEVICE),
		option("mark", unix.SOL_SOCKET, unix.SO_MARK),
		option("buffer", unix.SOL_SOCKET, unix.SO_RCVBUF),
		option("signature", unix.IPPROTO_TCP, unix.TCP_MD5SIG),
		option("first bytes", unix.IPPROTO_TCP, unix.TCP_FASTOPEN),
		option("late connections", unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT),
		option("congestion", unix.IPPROTO_TCP, unix.TCP_CONGESTION),
		option("another protocol", unix.IPPROTO_TCP, unix.TCP_ULP),
		option("foreign addresses", unix.IPPROTO_IP, unix.IP_TRANSPARENT),
		option("one family", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY).but(kindBinder),
	}
}

// listener opens the socket of the server that a starter starts.
func listener() (*os.File, error) { return plat.ListenTCP(0) }
