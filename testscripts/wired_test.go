package testscripts

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"nexus/daemons/initd"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// wired holds the authority table against what the kernel knows: between any two processes of the system there are
// exactly the connections that the table grants them, and those of the demo's bundle, and each daemon has open exactly
// the files and directories of its row. `wired` says nothing when that is so. After `less` stand links that are not
// there, because they were revoked.
func wired(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 && args[0] != "less" {
		ts.Fatalf("usage: wired [less A-B...]")
	}
	here := func(name string) bool {
		_, err := os.Stat(filepath.Join(ts.Getenv("NX_DIR"), name))
		return err == nil
	}
	absent := []string{"selftest"}
	if !here("state") {
		absent = append(absent, "statefsd")
	}
	if !here("device.key") {
		absent = append(absent, "remoted")
	}
	want := declared(absent)
	for _, link := range args[min(1, len(args)):] {
		i := slices.Index(want, "stream "+link)
		if i < 0 {
			ts.Fatalf("no link %s is declared", link)
		}
		want = slices.Delete(want, i, i+1)
	}
	var got []string
	defer func() {
		if !slices.Equal(got, want) {
			ts.Logf("declared, and not live: %q\nlive, and not declared: %q", missing(want, got), missing(got, want))
		}
	}()
	eventually(ts, "the declared connections", func() bool { // a daemon may be about to start
		found, err := live(ts)
		if os.IsPermission(err) {
			ts.Logf("not compared: who is not root may not look into daemons: %v", err)
			found, err = want, nil
		}
		if err == nil {
			got = found
		}
		return err == nil && slices.Equal(got, want)
	})
}

// logged waits until the journal has a record of a sender that matches: `logged SENDER REGEXP`.
func logged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: logged sender regexp")
	}
	want, err := regexp.Compile(args[1])
	ts.Check(err)
	eventually(ts, "a record like "+args[1], func() bool {
		cmd := exec.Command(filepath.Join(shared.bin(), "nx"), "log", "--sender", args[0])
		cmd.Env = append(os.Environ(), "NX_DIR="+ts.Getenv("NX_DIR"))
		out, err := cmd.Output()
		return err == nil && want.Match(out)
	})
}

func missing(from, in []string) (all []string) {
	left := slices.Clone(in)
	for _, s := range from {
		if i := slices.Index(left, s); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		all = append(all, s)
	}
	return all
}

// declared is the table as lines: an endowment channel for each daemon, a link for each facet, and what the row has
// open, but for daemons that this system does not have. Operators have links of their own while they are in, and none
// is in.
func declared(absent []string) (lines []string) {
	for _, row := range initd.Table() {
		if slices.Contains(absent, row.Name) || !row.Process() {
			continue
		}
		if row.Name != "initd" {
			lines = append(lines, between("packet", "initd", row.Name))
		}
		for _, edge := range row.Holds {
			if slices.Contains(absent, edge.From) {
				continue
			}
			lines = append(lines, between("stream", row.Name, edge.From))
		}
		for _, dir := range row.Dirs {
			// The groups are the machine's, where it has any. The state of bundles is for their programs to open.
			if dir != "groups" && dir != "bundles" {
				lines = append(lines, row.Name+" dir "+dir)
			}
		}
	}
	lines = append(lines, ofHello())
	slices.Sort(lines)
	return lines
}

// ofHello is what the bundle of the demo has: a link of its own to the one whom it looks up. Its descriptors 3 and 4
// were made in execd's network namespace, and are not shown here.
func ofHello() string { return between("stream", "bundlemgrd", "bundle:hello") }

func between(kind, a, b string) string { return fmt.Sprintf("%s %s-%s", kind, min(a, b), max(a, b)) }

// live is the same by the kernel's word.
func live(ts *testscript.TestScript) (lines []string, err error) {
	pids, err := processes(ts)
	if err != nil {
		return nil, err
	}
	owner := map[uint32]string{} // of sockets, by inode
	for name, pid := range pids {
		dirs, err := opened(ts, name, pid, owner)
		if err != nil {
			return nil, err
		}
		lines = append(lines, dirs...)
	}
	sockets, err := unixSockets()
	if err != nil {
		return nil, err
	}
	for inode, s := range sockets {
		a, b := owner[inode], owner[s.peer]
		if a != "" && b != "" && inode < s.peer {
			lines = append(lines, between(s.kind, a, b))
		}
	}
	slices.Sort(lines)
	return lines, nil
}

// processes are initd, all daemons that are ready, and the services.
func processes(ts *testscript.TestScript) (map[string]int, error) {
	var said oracle.Roll
	if err := (kit.NX{Bin: shared.bin(), Dir: ts.Getenv("NX_DIR")}).Ask(&said, "services"); err != nil {
		return nil, err
	}
	pids := map[string]int{}
	for _, d := range said.Daemons {
		if d.PID == 0 || !d.Ready {
			return nil, fmt.Errorf("%s is not ready", d.Name)
		}
		pids[d.Name] = d.PID
	}
	for _, service := range said.Services {
		pids["bundle:"+service.Name] = service.PID
	}
	return pids, nil
}

// opened notes the sockets of a process, and returns the directories of the system that it has open.
func opened(ts *testscript.TestScript, name string, pid int, owner map[uint32]string) (dirs []string, err error) {
	fds := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(fds)
	if err != nil {
		return nil, err
	}
	root := ts.Getenv("NX_DIR") + "/"
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(fds, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		var inode uint32
		if n, _ := fmt.Sscanf(target, "socket:[%d]", &inode); n == 1 {
			owner[inode] = name
		}
		if dir, in := strings.CutPrefix(target, root); in && name != "initd" {
			dirs = append(dirs, name+" dir "+dir)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), nil // it may have a second descriptor of the same
}

// A unixSocket is one end of a connection.
type unixSocket struct {
	kind string
	peer uint32 // inode
}

// unixSockets asks the kernel for all unix sockets and their other ends (sock_diag(7)).
func unixSockets() (map[uint32]unixSocket, error) {
	const (
		netlinkSockDiag  = 4
		sockDiagByFamily = 20
		showPeer         = 4
		attrPeer         = 2
	)
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	var ask bytes.Buffer
	binary.Write(&ask, binary.NativeEndian, syscall.NlMsghdr{
		Len: 40, Type: sockDiagByFamily, Flags: syscall.NLM_F_REQUEST | syscall.NLM_F_DUMP,
	})
	binary.Write(&ask, binary.NativeEndian, struct {
		Family, Protocol uint8
		_                uint16
		States, Inode    uint32
		Show             uint32
		Cookie           [2]uint32
	}{Family: syscall.AF_UNIX, States: ^uint32(0), Show: showPeer})
	if err := syscall.Sendto(fd, ask.Bytes(), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, err
	}
	sockets := map[uint32]unixSocket{}
	buf := make([]byte, 1<<16)
	for {
		n, _, err := syscall.Recvfrom(fd, buf, 0)
		if err != nil {
			return nil, err
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			if m.Header.Type == syscall.NLMSG_DONE {
				return sockets, nil
			}
			if m.Header.Type == syscall.NLMSG_ERROR || len(m.Data) < 16 {
				return nil, fmt.Errorf("the kernel does not tell of sockets")
			}
			s := unixSocket{kind: map[uint8]string{syscall.SOCK_STREAM: "stream",
				syscall.SOCK_SEQPACKET: "packet"}[m.Data[1]]}
			for attrs := m.Data[16:]; len(attrs) >= 4; {
				size := int(binary.NativeEndian.Uint16(attrs))
				if size < 4 || size > len(attrs) {
					break
				}
				if binary.NativeEndian.Uint16(attrs[2:]) == attrPeer && size >= 8 {
					s.peer = binary.NativeEndian.Uint32(attrs[4:])
				}
				attrs = attrs[min((size+3)&^3, len(attrs)):]
			}
			sockets[binary.NativeEndian.Uint32(m.Data[4:])] = s
		}
	}
}
