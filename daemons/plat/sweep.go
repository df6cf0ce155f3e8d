package plat

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// How Sweep looks for orphans: again after each pause, for so many rounds. A killed orphan's children become orphans in
// their turn.
const (
	sweepPause  = 2 * time.Millisecond
	sweepRounds = 500
)

func (f *forker) Sweep() {
	pause := time.NewTicker(sweepPause)
	defer pause.Stop()
	for range sweepRounds {
		if !f.killOrphans() {
			return
		}
		<-pause.C
	}
}

// killOrphans kills every child this process did not start, with its process group, and tells whether there was one. A
// program that starts itself anew faster than it is found is in that group, too.
func (f *forker) killOrphans() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	any := false
	for _, pid := range kernelChildren() {
		if f.children[pid] == nil {
			any = true
			if group, err := unix.Getpgid(pid); err == nil && group > 1 && group != unix.Getpgrp() &&
				f.children[group] == nil {
				unix.Kill(-group, unix.SIGKILL)
			}
			unix.Kill(pid, unix.SIGKILL)
		}
	}
	return any
}

// kernelChildren lists the children of this process as the kernel has them (proc_pid_children(5)).
func kernelChildren() []int {
	var pids []int
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, task := range tasks {
		raw, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has just ended
		}
		for _, field := range strings.Fields(string(raw)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
