package plat_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"nexus/daemons/plat"
)

// server answers each connection on the socket that it was handed, and says first what it was told of it.
func server() {
	fmt.Println(os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"),
		os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()))
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	for err == nil {
		var conn net.Conn
		if conn, err = listener.Accept(); err == nil {
			fmt.Fprintln(conn, "served")
			conn.Close()
		}
	}
	fmt.Println(err)
}

// spoil does to the socket that it was handed whatever it can, and prints how each attempt ended.
func spoil() {
	const fd = 3
	peer := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}
	filter := unix.SockFprog{Len: 1, Filter: &unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}}
	text := string(unsafe.Slice((*byte)(unsafe.Pointer(&filter)), unsafe.Sizeof(filter)))
	for _, attempt := range []struct {
		name string
		err  error
	}{
		{"shutdown reading", unix.Shutdown(fd, unix.SHUT_RD)},
		{"shutdown both", unix.Shutdown(fd, unix.SHUT_RDWR)},
		{"filter", unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, text)},
		{"lock filter", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1)},
		{"receive buffer", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1)},
		{"share port", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)},
		{"signature", unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, strings.Repeat("\x00", 216))},
		{"defer", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 3600)},
		{"segment", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, 88)},
		{"bind", unix.Bind(fd, &unix.SockaddrInet4{Port: 0})},
		{"connect", unix.Connect(fd, peer)},
		{"connect by sending", unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, peer)},
		{"connect by a message", unix.Sendmsg(fd, []byte("x"), nil, peer, unix.MSG_FASTOPEN)},
		{"another socket", second(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))},
	} {
		if attempt.err != syscall.EPERM {
			fmt.Println("allowed:", attempt.name, attempt.err)
		}
	}
	for _, change := range []error{
		unix.SetNonblock(fd, true),
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 1}),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1),
		unix.Listen(fd, 0),
	} {
		if change != nil {
			fmt.Println("not allowed:", change)
		}
	}
	fmt.Println("spoilt")
}

func second(_ int, err error) error { return err }

// binder is a server that knows nothing of sockets that are handed over. It listens on a port of its own choice, on all
// addresses and then on one, with every option that it knows, and does not block.
func binder() {
	_, err := net.Listen("tcp", "127.0.0.1:1")
	if err != nil {
		fmt.Println(err)
	}
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) (err error) {
		conn.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return err
	}}
	listener, err := config.Listen(context.Background(), "tcp", ":1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("listens")
	for {
		conn, err := listener.Accept()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Fprintln(conn, "served")
		conn.Close()
	}
}

// bound starts a role of the test's own program that makes its socket itself.
func bound(t *testing.T, role string, listener *os.File) (plat.Process, *bufio.Reader) {
	t.Helper()
	return serving(t, plat.Command{Argv: []string{role}, Socket: listener}, plat.CallsBinder)
}

// forks passes its socket on to a copy of itself, in what it takes for a session of its own, and ends without it.
func forks() {
	copied := exec.Command("/proc/self/exe")
	copied.Args, copied.ExtraFiles = []string{"server"}, []*os.File{os.NewFile(3, "listener")}
	copied.Stdout, copied.SysProcAttr = os.Stdout, &syscall.SysProcAttr{Setsid: true}
	if err := copied.Start(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(copied.Process.Pid)
	time.Sleep(time.Hour)
}

// handed starts a role of the test's own program with a listening socket, and returns what it prints.
func handed(t *testing.T, role string, listener *os.File) (plat.Process, *bufio.Reader) {
	t.Helper()
	return serving(t, plat.Command{Argv: []string{role}, Extra: []*os.File{listener}, Listen: []string{"tcp/0"}},
		plat.CallsServer)
}

// serving starts the test's own program.
func serving(t *testing.T, cmd plat.Command, calls plat.CallSet, reach ...plat.PortRange) (plat.Process,
	*bufio.Reader) {
	t.Helper()
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	sealed, err := plat.SealedMemory("payload", program, fileSize(program))
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	t.Cleanup(func() { out.Close() })
	c := plat.PayloadConfinement(plat.FirstPayloadUser, plat.Dynamic(sealed))
	c.Calls, c.Connect = calls, reach
	cmd.Path, cmd.File, cmd.Dir, cmd.Stdout, cmd.Stderr = plat.ByDescriptor(sealed), sealed, "/", in, in
	cmd.DieWithParent, cmd.Confinement = true, &c
	p, err := plat.NewSpawner().Spawn(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill(); <-p.Gone() })
	return p, bufio.NewReader(out)
}

// served connects to a port and returns what comes.
func served(t *testing.T, port uint16) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func free(t *testing.T) (*os.File, uint16) {
	t.Helper()
	listener, err := plat.ListenTCP(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	named, err := net.FileListener(listener)
	if err != nil {
		t.Fatal(err)
	}
	defer named.Close()
	return listener, uint16(named.Addr().(*net.TCPAddr).Port)
}

// A program finds its socket by the convention, and its successor goes on where it ended: a connection that was made in
// between is served.
func TestSocketOutlivesItsProgram(t *testing.T) {
	listener, port := free(t)
	for range 2 {
		p, out := handed(t, "server", listener)
		if line, err := out.ReadString('\n'); err != nil || line != "1 tcp/0 true\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		if got := served(t, port); got != "served\n" {
			t.Fatalf("got %q", got)
		}
		p.Kill()
		<-p.Gone()
	}
	waiting, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if err := plat.Renew(listener); err != nil {
		t.Fatal(err)
	}
	handed(t, "server", listener)
	waiting.SetDeadline(time.Now().Add(time.Minute))
	if text, err := io.ReadAll(waiting); err != nil || string(text) != "served\n" {
		t.Errorf("the connection that waited got %q, %v", text, err)
	}
}

// A program that makes its socket itself serves on the one that the system has for it, whatever port it asks for; so do
// its successors, with what waits in the queue.
func TestBoundSocketIsTheSystems(t *testing.T) {
	on(t, plat.MeasureCalls)
	listener, port := free(t)
	for range 2 {
		waiting, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer waiting.Close()
		waiting.SetDeadline(time.Now().Add(time.Minute))
		p, out := bound(t, "binder", listener)
		if line, err := out.ReadString('\n'); err != nil || line != "listens\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		if text, err := io.ReadAll(waiting); err != nil || string(text) != "served\n" {
			t.Errorf("the connection that waited got %q, %v", text, err)
		}
		if got := served(t, port); got != "served\n" {
			t.Errorf("got %q", got)
		}
		if flags, err := unix.FcntlInt(listener.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("it blocks, as the program did not ask for: %x, %v", flags, err)
		}
		p.Kill()
		<-p.Gone()
		if err := plat.Renew(listener); err != nil {
			t.Fatal(err)
		}
	}
}

// A copy to which a program has passed its socket ends with it: what comes afterwards is its successor's.
func TestSocketIsNotKept(t *testing.T) {
	listener, port := free(t)
	p, out := handed(t, "forks", listener)
	var copied int
	if _, err := fmt.Fscan(out, &copied); err != nil {
		t.Fatal(err)
	}
	if got := served(t, port); got != "served\n" {
		t.Fatalf("the copy has no socket: %q", got)
	}
	p.Kill()
	<-p.Gone()
	if err := unix.Kill(copied, 0); err != unix.ESRCH {
		t.Errorf("the copy goes on: %v", err)
	}
	waiting, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	handed(t, "server", listener)
	waiting.SetDeadline(time.Now().Add(time.Minute))
	if text, err := io.ReadAll(waiting); err != nil || string(text) != "served\n" {
		t.Errorf("the connection that waited got %q, %v", text, err)
	}
}

// Nothing of the starter is left when such a program has ended: the socket closes with the last holder.
func TestBoundSocketCloses(t *testing.T) {
	on(t, plat.MeasureCalls)
	listener, port := free(t)
	p, out := bound(t, "binder", listener)
	if line, err := out.ReadString('\n'); err != nil || line != "listens\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	listener.Close()
	p.Kill()
	<-p.Gone()
	for late := time.After(time.Minute); ; {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return
		}
		conn.Close()
		select {
		case <-late:
			t.Fatal("somebody still listens")
		default:
		}
	}
}

// What a program does to its socket does not reach its successor.
func TestSpoiltSocketIsRenewed(t *testing.T) {
	on(t, plat.MeasureCalls)
	listener, port := free(t)
	p, out := handed(t, "spoil", listener)
	ended(t, p)
	if text, err := io.ReadAll(out); err != nil || string(text) != "spoilt\n" {
		t.Fatalf("got %s, %v", text, err)
	}
	fd := int(listener.Fd())
	if linger, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_LINGER); err != nil || linger == 0 {
		t.Errorf("the program has spoilt nothing: %d, %v", linger, err)
	}
	if err := plat.Renew(listener); err != nil {
		t.Fatal(err)
	}
	fresh, _ := free(t)
	for name, option := range map[string][2]int{
		"linger":  {unix.SOL_SOCKET, unix.SO_LINGER},
		"timeout": {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
	} {
		got, err := unix.GetsockoptInt(fd, option[0], option[1])
		want, _ := unix.GetsockoptInt(int(fresh.Fd()), option[0], option[1])
		if err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", name, got, err, want)
		}
	}
	wait, err := unix.GetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO)
	if err != nil || *wait != (unix.Timeval{}) {
		t.Errorf("the time to wait for a connection: got %v, %v", wait, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("it does not block: %x, %v", flags, err)
	}
	handed(t, "server", listener)
	if got := served(t, port); got != "served\n" {
		t.Errorf("got %q", got)
	}
}

func TestRenewWantsAListener(t *testing.T) {
	listener, _ := free(t)
	if err := unix.Shutdown(int(listener.Fd()), unix.SHUT_RD); err != nil {
		t.Fatal(err)
	}
	if err := plat.Renew(listener); err == nil {
		t.Error("a socket that does not listen was renewed")
	}
}

func TestListenTCPSaysWhyNot(t *testing.T) {
	_, port := free(t)
	_, err := plat.ListenTCP(port)
	if want := fmt.Sprintf("cannot listen on tcp/%d: address already in use", port); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A program that is not told which descriptors it has is told nothing.
func TestNoSocketNoVariable(t *testing.T) {
	text, exit := payload(t, "/proc/self/exe", true, "env")
	if !exit.OK() || strings.Contains(text, "LISTEN") {
		t.Errorf("got %q, %v", text, exit)
	}
}
