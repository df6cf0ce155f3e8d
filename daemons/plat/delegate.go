package plat

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// groupControllers bound a bundle as a whole. Groups are made only where both exist.
var groupControllers = [...]string{"memory", "pids"}

// A Delegation is the part of the machine's control group tree that a system uses for the bundles of one daemon:
//
//	nexus-DEV-INODE/       the system's, by its folder
//	    bundles/           the daemon's, which makes a group in it for each program
//	        own/           the daemon itself
type Delegation struct {
	top, bundles string
	group        Group  // the daemon's own
	whyNot       string // why there is none
}

// Names in a delegation.
const (
	delegatePrefix = "nexus-"
	bundlesGroup   = "bundles"
	ownGroup       = "own"
)

// Make creates the groups of the system in that folder, if this process may. It kills what an earlier run left in them.
func (d *Delegation) Make(folder string) {
	if d == nil {
		return
	}
	if err := d.make(folder); err != nil {
		d.Remove()
		d.whyNot = err.Error()
	}
}

// Dir is where the daemon creates its groups; empty if it can create none.
func (d *Delegation) Dir() string {
	if d == nil {
		return ""
	}
	return d.bundles
}

// Group is the daemon's own group, in which it must be started; nil if there is none.
func (d *Delegation) Group() *Group {
	if d.Dir() == "" {
		return nil
	}
	return &d.group
}

// Measure says what the groups bound, or why there are none.
func (d *Delegation) Measure() Measure {
	if d.bundles == "" {
		return Measure{MeasureGroup, false, "what all processes of a bundle hold together is not bounded: " +
			cmp.Or(d.whyNot, "no groups were made")}
	}
	return Measure{MeasureGroup, true, fmt.Sprintf("each bundle: %d MiB, %d processes", groupMemory>>20, groupTasks)}
}

func (d *Delegation) make(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("the folder has no number")
	}
	base, err := groupBase()
	if err != nil {
		return err
	}
	d.top = filepath.Join(base, fmt.Sprintf("%s%x-%d", delegatePrefix, stat.Dev, stat.Ino))
	clearGroups(d.top)
	bundles := filepath.Join(d.top, bundlesGroup)
	for _, dir := range []string{d.top, bundles} {
		if err := makeGroup(dir); err != nil {
			return err
		}
		if err := giveControllers(dir); err != nil {
			return err
		}
	}
	own := filepath.Join(bundles, ownGroup)
	if err := makeGroup(own); err != nil {
		return err
	}
	procs, err := os.OpenFile(filepath.Join(own, "cgroup.procs"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	d.group, d.bundles = Group{procs: procs}, bundles
	return nil
}

// Remove kills what is in the groups, and removes them.
func (d *Delegation) Remove() {
	if d == nil || d.top == "" {
		return
	}
	if d.group.procs != nil {
		d.group.procs.Close()
	}
	clearGroups(d.top)
	*d = Delegation{}
}

func makeGroup(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// giveControllers enables the controllers for the groups in a directory.
func giveControllers(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"),
		[]byte("+"+strings.Join(groupControllers[:], " +")), 0)
}

// clearGroups kills all processes in a tree of groups, and removes it.
func clearGroups(top string) {
	if os.WriteFile(filepath.Join(top, "cgroup.kill"), []byte("1"), 0) != nil {
		return // there is none
	}
	retry(func() bool {
		var dirs []string
		filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			if unix.Rmdir(dir) == unix.EBUSY {
				return false
			}
		}
		return true
	})
}

// groupBase finds the group in which the system's own can be created: that of this process or, if it cannot enable the
// controllers, the nearest one above. Moving a process between two groups takes write access to their nearest common
// ancestor.
func groupBase() (string, error) {
	mount, own, err := ownControlGroup()
	if err != nil {
		return "", err
	}
	err = errors.New("no control group of this machine offers memory and pids (cgroups(7), version 2)")
	for dir := own; ; dir = filepath.Dir(dir) {
		if offers(filepath.Join(dir, "cgroup.controllers")) {
			if err = usable(dir); err == nil {
				return dir, nil
			}
		}
		if dir == mount {
			return "", err
		}
	}
}

func usable(dir string) error {
	if !offers(filepath.Join(dir, "cgroup.subtree_control")) {
		if err := giveControllers(dir); err != nil {
			return fmt.Errorf("control groups were not delegated to its starter: %w", err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "cgroup.procs")} {
		if err := unix.Access(path, unix.W_OK); err != nil {
			return fmt.Errorf("control groups were not delegated to its starter: %s: %w", path, err)
		}
	}
	return nil
}

// offers reports whether a file lists all controllers.
func offers(path string) bool {
	raw, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	listed := strings.Fields(string(raw))
	for _, name := range groupControllers {
		if !slices.Contains(listed, name) {
			return false
		}
	}
	return true
}

// ownControlGroup finds the mount of control groups version 2, and this process's own group.
func ownControlGroup() (mount, own string, err error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", "", err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", "", err
	}
	mount = groupMount(string(mounts))
	if mount == "" {
		return "", "", errors.New("this machine has no control groups (cgroups(7), version 2)")
	}
	lines := bufio.NewScanner(strings.NewReader(string(groups)))
	for lines.Scan() {
		if path, found := strings.CutPrefix(lines.Text(), "0::"); found && !strings.Contains(path, "..") {
			return mount, filepath.Join(mount, path), nil
		}
	}
	return "", "", errors.New("this process is in no control group that it can see")
}

// groupMount finds the mount of the whole version 2 tree in a list of mounts (proc_pid_mountinfo(5)).
func groupMount(mounts string) string {
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) > 4 && len(kind) > 0 && kind[0] == "cgroup2" && fields[3] == "/" {
			return fields[4]
		}
	}
	return ""
}

// counted finds the number for a name in a file whose lines each hold a name and a number.
func counted(text, name string) uint64 {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			n, _ := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			return n
		}
	}
	return 0
}
