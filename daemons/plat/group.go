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

// What all that one bundle runs may make the machine hold together.
const (
	groupMemory = 512 << 20
	groupTasks  = maxTasks
)

// groupPrefix is before the name of each group, so that none is called as the kernel's own files are.
const groupPrefix = "bundle:"

// Groups is a folder of control groups (cgroups(7), version 2) that this process may make its own in.
type Groups struct{ root *os.Root }

// NewGroups takes over the folder, and removes the groups that a life before has left in it empty.
func NewGroups(root *os.Root) *Groups {
	entries, _ := fs.ReadDir(root.FS(), ".") // those that it cannot list stay
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), groupPrefix) {
			root.Remove(entry.Name())
		}
	}
	return &Groups{root}
}

// A Group bounds the whole of what the processes in it can make the machine hold: memory of every kind, and how many
// they are.
type Group struct {
	of    *Groups
	name  string
	procs *os.File // whoever writes to it enters the group
}

// Make makes a group, or takes one up that was left. Nil Groups make none.
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
		{"memory.oom.group", "1"}, // what is over the bound ends as a whole
		{"pids.max", strconv.Itoa(groupTasks)},
	} {
		err := g.write(name+"/"+bound.file, bound.value)
		// a kernel without swap has none
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

// Exceeded tells whether the kernel ended a process of the group for its memory.
func (g *Group) Exceeded() bool {
	if g == nil {
		return false
	}
	events, err := g.of.root.ReadFile(g.name + "/memory.events")
	return err == nil && counted(string(events), "oom_kill") > 0
}

// Remove removes the group once nothing is in it. One that something is stuck in stays.
func (g *Group) Remove() {
	if g == nil {
		return
	}
	g.procs.Close()
	retry(func() bool { return !errors.Is(g.of.root.Remove(g.name), unix.EBUSY) })
}

// How long the kernel may take to let go of a group whose last process was reaped.
const (
	releasePause  = 2 * time.Millisecond
	releaseRounds = 100
)

// retry does something again until it is done, or for a while.
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
