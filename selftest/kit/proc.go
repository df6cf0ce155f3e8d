package kit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Proc is one process. Its start time distinguishes it from a later one with the same number.
type Proc struct {
	PID     int
	Parent  int
	Session int
	Start   string // in clock ticks since the machine's boot
	Name    string // argv[0]
	Zombie  bool   // it has ended and has not been waited for
}

// Fields of /proc/PID/stat after the name, which may contain any characters (proc_pid_stat(5)).
const (
	statState   = 0
	statParent  = 1
	statSession = 3
	statStart   = 19
	statFields  = 20
)

// ProcOf returns one process, without its name.
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

// nameOf returns a process's argv[0].
func nameOf(pid int) string {
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	name, _, _ := strings.Cut(string(cmdline), "\x00")
	return name
}

// All returns all processes of this host, in order of their numbers, without their names.
func All() (all []Proc) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, _ := strconv.Atoi(entry.Name())
		if p, ok := ProcOf(pid); ok && pid > 0 {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Proc) int { return a.PID - b.PID })
	return all
}

// Session returns the processes of these sessions, with their names. A session is inherited and outlives its leader, so
// a process of a system stays in the system's session, whatever its parent becomes.
func Session(ids ...int) []Proc {
	members := slices.DeleteFunc(All(), func(p Proc) bool { return !slices.Contains(ids, p.Session) })
	for i, p := range members {
		members[i].Name = nameOf(p.PID)
	}
	return members
}

// Living returns those that have not ended.
func Living(all []Proc) []Proc {
	return slices.DeleteFunc(slices.Clone(all), func(p Proc) bool { return p.Zombie })
}

// Descendants returns the living children of a process and theirs, with their names.
func Descendants(pid int) (all []Proc) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for _, field := range strings.Fields(string(children)) {
			child, _ := strconv.Atoi(field)
			if p, ok := ProcOf(child); ok && !p.Zombie {
				p.Name = nameOf(child)
				all = append(append(all, p), Descendants(child)...)
			}
		}
	}
	return all
}

// FDs returns the number of a process's open descriptors.
func (p Proc) FDs() int {
	names, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
	return len(names)
}

// OpenFiles returns the paths of the regular files and folders that a process has open.
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

// RSS returns a process's resident memory in bytes, or 0 if it has ended.
func (p Proc) RSS() int64 {
	statm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID))
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// Env returns a process's environment.
func (p Proc) Env() []string {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
	return strings.FieldsFunc(string(raw), func(c rune) bool { return c == 0 })
}

func (p Proc) String() string { return fmt.Sprintf("%s (pid %d, parent %d)", p.Name, p.PID, p.Parent) }
