package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Proc is one process, told from a later one of the same number by its start time.
type Proc struct {
	PID     int
	Parent  int
	Session int
	Start   string // in ticks since the machine's boot
	Name    string // argv[0]
	Zombie  bool   // it has ended and nobody has waited for it
}

// Fields of /proc/PID/stat after the name, which may hold anything (proc_pid_stat(5)).
const (
	statState   = 0
	statParent  = 1
	statSession = 3
	statStart   = 19
	statFields  = 20
)

// ProcOf looks at one process; its name is left out.
func ProcOf(pid int) (Proc, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Proc{}, false
	}
	rest := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(rest) < statFields {
		return Proc{}, false
	}
	p := Proc{PID: pid, Start: rest[statStart], Zombie: rest[statState] == "Z" || rest[statState] == "X"}
	p.Parent, _ = strconv.Atoi(rest[statParent])
	p.Session, _ = strconv.Atoi(rest[statSession])
	return p, true
}

// nameOf is a process's argv[0].
func nameOf(pid int) string {
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	name, _, _ := strings.Cut(string(cmdline), "\x00")
	return name
}

// Session lists the processes of the sessions, in order of their numbers. A session is inherited and survives whoever
// began it, so a process of a system belongs to the system's session wherever it moved.
func Session(ids ...int) []Proc {
	var members []Proc
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, ok := ProcOf(pid); ok && slices.Contains(ids, p.Session) {
			p.Name = nameOf(pid)
			members = append(members, p)
		}
	}
	slices.SortFunc(members, func(a, b Proc) int { return a.PID - b.PID })
	return members
}

// Living leaves those out that have ended.
func Living(all []Proc) []Proc {
	return slices.DeleteFunc(slices.Clone(all), func(p Proc) bool { return p.Zombie })
}

// FDs counts a process's open descriptors.
func (p Proc) FDs() int {
	names, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
	return len(names)
}

// OpenFiles are the paths of the regular files and folders that a process has open.
func (p Proc) OpenFiles() []string {
	var paths []string
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID))
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "/") {
			paths = append(paths, target)
		}
	}
	return paths
}

// RSS is a process's resident memory in bytes, 0 when it has ended.
func (p Proc) RSS() int64 {
	statm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID))
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// Env is a process's environment.
func (p Proc) Env() []string {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
	return strings.FieldsFunc(string(raw), func(c rune) bool { return c == 0 })
}

func (p Proc) String() string { return fmt.Sprintf("%s (pid %d, parent %d)", p.Name, p.PID, p.Parent) }
