package plat

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// How often Sweep looks for orphans, and the pause in between. The children of a killed orphan are orphans in their
// turn.
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

// killOrphans kills every child that this process did not start, with its process group, and reports whether there was
// one. The group also catches a program that forks faster than it is found.
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

// kernelChildren lists the children of this process, according to the kernel (proc_pid_children(5)).
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
