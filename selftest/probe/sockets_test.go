package probe

import (
	"golang.org/x/sys/unix"
)

// sockets returns attempts on the network and on listeners of this machine.
func sockets() []attempt {
	family := func(name string, domain, kind, protocol int) attempt {
		return attempt{name: "make a socket: " + name, want: unix.EPERM,
			try: func(*prey) error { return closing(unix.Socket(domain, kind|unix.SOCK_CLOEXEC, protocol)) }}
	}
	connecting := func(name string, domain, kind int, to func(p *prey) unix.Sockaddr) attempt {
		return attempt{name: "connect: " + name, want: unix.EPERM, try: func(p *prey) error {
			fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Connect(fd, to(p))
		}}
	}
	local := [4]byte{127, 0, 0, 1}
	return []attempt{
		family("TCP", unix.AF_INET, unix.SOCK_STREAM, 0).but(kindBinder, kindClient, kindFetcher, kindStarter),
		family("UDP", unix.AF_INET, unix.SOCK_DGRAM, 0),
		family("TCP of IPv6", unix.AF_INET6, unix.SOCK_STREAM, 0).but(kindBinder, kindClient, kindFetcher, kindStarter),
		denied("bind a socket", unix.SYS_BIND, bad, 0, 0).but(kindBinder),
		denied("connect a socket", unix.SYS_CONNECT, bad, 0, 0).but(kindClient, kindFetcher),
		family("multipath TCP", unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
		family("raw", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP),
		family("packets", unix.AF_PACKET, unix.SOCK_DGRAM, 0),
		family("netlink", unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE),
		family("the kernel's ciphers", unix.AF_ALG, unix.SOCK_SEQPACKET, 0),
		family("the hypervisor", unix.AF_VSOCK, unix.SOCK_STREAM, 0),
		family("unix", unix.AF_UNIX, unix.SOCK_STREAM, 0),
		connecting("by path", unix.AF_UNIX, unix.SOCK_STREAM,
			func(p *prey) unix.Sockaddr { return &unix.SockaddrUnix{Name: p.Unix} }),
		connecting("abstract", unix.AF_UNIX, unix.SOCK_STREAM,
			func(p *prey) unix.Sockaddr { return &unix.SockaddrUnix{Name: p.Abstract} }),
		connecting("TCP", unix.AF_INET, unix.SOCK_STREAM,
			func(p *prey) unix.Sockaddr { return &unix.SockaddrInet4{Port: p.TCP, Addr: local} }).but(kindClient,
			kindFetcher),
		connecting("UDP", unix.AF_INET, unix.SOCK_DGRAM,
			func(p *prey) unix.Sockaddr { return &unix.SockaddrInet4{Port: p.UDP, Addr: local} }),
	}
}
