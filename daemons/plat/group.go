package plat

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds on all processes of one bundle together.
const (
	groupMemory = 512 << 20
	groupTasks  = maxTasks
)

// groupPrefix begins the name of each group, so that none collides with the kernel's own files.
const groupPrefix = "bundle:"

// Groups is a folder in which this process may create control groups (cgroups(7), version 2).
type Groups struct{ root *os.Root }

// NewGroups takes over the folder, and removes empty groups that an earlier run left there.
func NewGroups(root *os.Root) *Groups {
	entries, _ := fs.ReadDir(root.FS(), ".") // what it cannot list stays
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), groupPrefix) {
			root.Remove(entry.Name())
		}
	}
	return &Groups{root}
}

// A Group bounds its processes together: their memory of every kind, and their number.
type Group struct {
	of    *Groups
	name  string
	procs *os.File // a process enters by writing to it
}

// Make creates a group, or reuses one that was left. Nil Groups create none.
func (g *Groups) Make(name string) (*Group, error) {
	if g == nil {
		return nil, nil
	}
	group, err := g.make(groupPrefix + name)
	if err != nil {
		return nil, cannotConfine(MeasureGroup, err)
	}
	return group, nil
}

func (g *Groups) make(name string) (*Group, error) {
	if err := g.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	for _, bound := range []struct{ file, value string }{
		{"memory.max", strconv.Itoa(groupMemory)},
		{"memory.swap.max", "0"},
		{"memory.oom.group", "1"}, // a group over the bound is killed as a whole
		{"pids.max", strconv.Itoa(groupTasks)},
	} {
		err := g.write(name+"/"+bound.file, bound.value)
		// absent where the kernel has no swap
		if err != nil && !(bound.file == "memory.swap.max" && errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
	}
	procs, err := g.root.OpenFile(name+"/cgroup.procs", os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return &Group{of: g, name: name, procs: procs}, nil
}

func (g *Groups) write(path, value string) error {
	f, err := g.root.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// Exceeded reports whether the kernel killed a process of the group for its memory.
func (g *Group) Exceeded() bool {
	return g.saw("memory.events", "oom_kill")
}

// Refused reports whether the kernel refused the group a process or thread beyond its bound.
func (g *Group) Refused() bool { return g.saw("pids.events", "max") }

// saw reports whether an event of the group has happened.
func (g *Group) saw(file, event string) bool {
	if g == nil {
		return false
	}
	events, err := g.of.root.ReadFile(g.name + "/" + file)
	return err == nil && counted(string(events), event) > 0
}

// Remove removes the group once it is empty. One with a process that cannot be killed stays.
func (g *Group) Remove() {
	if g == nil {
		return
	}
	g.procs.Close()
	retry(func() bool { return !errors.Is(g.of.root.Remove(g.name), unix.EBUSY) })
}

// How long the kernel may take to release a group after its last process was reaped.
const (
	releasePause  = 2 * time.Millisecond
	releaseRounds = 100
)

// retry calls done until it returns true, or for a while.
func retry(done func() bool) {
	for range releaseRounds {
		if done() {
			return
		}
		time.Sleep(releasePause)
	}
}

// enterGroup moves this process into the group behind a descriptor of its cgroup.procs.
func enterGroup(procs int) error {
	unix.CloseOnExec(procs)
	if _, err := unix.Write(procs, []byte("0")); err != nil {
		return fmt.Errorf("entering: %w", err)
	}
	return nil
}
