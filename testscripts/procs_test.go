package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A proc is one process, told from a later one of the same number by its start time.
type proc struct {
	pid   int
	name  string // argv[0]
	start string
}

// descendants returns the children of a process and theirs.
func descendants(pid int) []proc {
	var all []proc
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for _, field := range strings.Fields(string(children)) {
			child, _ := strconv.Atoi(field)
			if p, ok := look(child); ok {
				all = append(append(all, p), descendants(child)...)
			}
		}
	}
	return all
}

func look(pid int) (proc, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return proc{}, false
	}
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	name, _, _ := strings.Cut(string(cmdline), "\x00")
	// Fields are counted from the end of the name, which may hold anything (proc_pid_stat(5)): state is field 3, start
	// time 22.
	rest := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(rest) < 20 || rest[0] == "Z" {
		return proc{}, false
	}
	return proc{pid, name, rest[19]}, true
}

// eventually looks again and again until something is so, within waitLimit.
func eventually(ts *testscript.TestScript, what string, so func() bool) {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(waitLimit)
	for !so() {
		select {
		case <-look.C:
		case <-deadline:
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}

// wantGone waits, with a bound, until none of the processes is there.
func wantGone(ts *testscript.TestScript, family []proc) {
	for _, p := range family {
		eventually(ts, fmt.Sprintf("the end of process %d (%s)", p.pid, p.name), func() bool {
			now, there := look(p.pid)
			return !there || now.start != p.start
		})
	}
}

// gone waits until no process bears the name: `gone NAME`.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: gone name")
	}
	eventually(ts, "the end of "+args[0], func() bool {
		cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range cmdlines {
			raw, _ := os.ReadFile(path)
			if name, _, _ := strings.Cut(string(raw), "\x00"); name == args[0] {
				return false
			}
		}
		return true
	})
}
