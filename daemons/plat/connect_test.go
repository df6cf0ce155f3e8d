package plat_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nexus/daemons/plat"
)

// client connects to the two ports that its arguments name, and tries whatever else leads out of it. It prints how each
// attempt ended.
func client() {
	say := func(name string, err error) { fmt.Printf("%s: %v\n", name, err) }
	for i, name := range []string{"first", "second"} {
		conn, err := net.Dial("tcp", "127.0.0.1:"+os.Args[1+i])
		if err == nil {
			conn.Close()
		}
		say(name, err)
	}
	peer := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	fmt.Sscan(os.Args[2], &peer.Port)
	socket := func(name string, kind, protocol int) {
		fd, err := unix.Socket(unix.AF_INET, kind, protocol)
		if err == nil {
			unix.Close(fd)
		}
		say(name, err)
	}
	socket("mptcp", unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	socket("sctp", unix.SOCK_STREAM, unix.IPPROTO_SCTP)
	socket("udp", unix.SOCK_DGRAM, 0)
	socket("raw", unix.SOCK_RAW, unix.IPPROTO_TCP)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	say("tcp", err)
	say("listen", unix.Listen(fd, 1))
	say("bind", unix.Bind(fd, &unix.SockaddrInet4{}))
	say("another protocol", unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_ULP, "smc"))
	say("first bytes", unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, peer))
	say("a message", unix.Sendmsg(fd, []byte("x"), nil, peer, unix.MSG_FASTOPEN))
}

// A program reaches the ports that it was granted, and nothing else by any way.
func TestConnect(t *testing.T) {
	on(t, plat.MeasureCalls, plat.MeasurePaths)
	if why := plat.Unguided(); why != "" {
		t.Skip(why)
	}
	_, granted := free(t)
	_, denied := free(t)
	for name, ports := range map[string][]plat.PortRange{
		"one port": {{First: granted, Last: granted}}, "a range": {{First: 1, Last: 2}, {First: granted, Last: granted}},
	} {
		p, out := serving(t, plat.Command{Argv: []string{"client", fmt.Sprint(granted), fmt.Sprint(denied)}},
			plat.CallsPayload, ports...)
		ended(t, p)
		text, err := io.ReadAll(out)
		want := "first: <nil>\nsecond: dial tcp 127.0.0.1:" + fmt.Sprint(denied) + ": connect: permission denied\n"
		for _, refused := range []string{"mptcp", "sctp", "udp", "raw", "tcp", "listen", "bind", "another protocol",
			"first bytes", "a message"} {
			answer := error(syscall.EPERM)
			if refused == "tcp" {
				answer = nil
			}
			want += fmt.Sprintf("%s: %v\n", refused, answer)
		}
		if err != nil || string(text) != want {
			t.Errorf("%s: got %s, %v, want %s", name, text, err, want)
		}
	}
}

// All ports are not counted one by one.
func TestConnectAnywhere(t *testing.T) {
	on(t, plat.MeasureCalls, plat.MeasurePaths)
	_, one := free(t)
	_, other := free(t)
	p, out := serving(t, plat.Command{Argv: []string{"client", fmt.Sprint(one), fmt.Sprint(other)}}, plat.CallsPayload,
		plat.PortRange{First: 1, Last: 65535})
	ended(t, p)
	text, err := io.ReadAll(out)
	if err != nil || !strings.HasPrefix(string(text), "first: <nil>\nsecond: <nil>\nmptcp: operation not permitted\n") {
		t.Errorf("got %s, %v", text, err)
	}
}
