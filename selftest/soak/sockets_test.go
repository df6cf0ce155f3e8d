package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"nexus/selftest/kit"
)

// straySockets are sockets of the system but for the pairs between its processes and the one that operators come in by:
// a connection that outlived its operator, a second listener, anything of a network.
func (s *Soak) straySockets() (found []error) {
	members := s.host.Members()
	names, err := unixSockets(members)
	if err != nil {
		return []error{err}
	}
	for _, p := range members {
		allowed := 0
		if p.PID == s.host.PID() {
			allowed = 1 // the one that operators come in by
		}
		found = append(found, wrongSockets(p, names, allowed)...)
	}
	return found
}

// wrongSockets are a process's sockets of a network, and those with a name beyond the allowed number.
func wrongSockets(p kit.Proc, names map[string]string, allowed int) (found []error) {
	for _, inode := range sockets(p) {
		name, ok := names[inode]
		switch {
		case !ok:
			found = append(found, fmt.Errorf("process %s has a socket that is no unix socket", p))
		case name != "" && allowed == 0:
			found = append(found, fmt.Errorf("process %s has a socket left over: %s", p, name))
		case name != "":
			allowed--
		}
	}
	return found
}

// unixSockets are the names of all unix sockets by inode; most have none. A connection has the name of the socket that
// it came in by. Each network namespace has a table of its own, and each daemon may have a namespace.
func unixSockets(members []kit.Proc) (map[string]string, error) {
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	for _, p := range members {
		own, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", p.PID)) // one that has just ended has none
		table = append(table, own...)
	}
	const inode, name = 6, 7 // columns
	names := map[string]string{}
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > inode {
			names[fields[inode]] = strings.Join(fields[name:], " ")
		}
	}
	return names, nil
}

// sockets are the inodes of the sockets that a process has open.
func sockets(p kit.Proc) []string {
	var inodes []string
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID))
	for _, link := range links {
		target, _ := os.Readlink(link)
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	return inodes
}
