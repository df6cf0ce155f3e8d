// Package host runs a system of real processes in one folder, and observes it only from outside: through its console,
// `nx` and /proc.
package host

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Bounds on what the system may take. They do not decide anything; they only turn a hang into a failure.
const (
	StartBound = 2 * time.Minute // from `nx up` to healthy
	GoneBound  = time.Minute     // from the death of initd to that of the last process
	LookPause  = 2 * time.Millisecond
)

// keptLines is how many lines of the console are kept.
const keptLines = 4000

// A Host runs one system at a time in one folder, each in a session of its own.
type Host struct {
	Bin      string              // the folder of nx and nexus
	Dir      string              // the system's folder
	Tmp      string              // TMPDIR of every process
	User     *syscall.Credential // of every process; nil: this process's user
	Sessions []int               // the sessions of all systems so far

	cmd   *exec.Cmd
	ended chan struct{} // closed when initd has ended
	quiet chan struct{} // closed when no process is left that could write to the console

	mu      sync.Mutex
	lines   []string // of the consoles of all systems
	dropped int      // lines that are no longer kept
}

// Up starts the system with these flags, without waiting.
func (h *Host) Up(flags ...string) error {
	h.cmd = h.command(append([]string{"up", "--dir", h.Dir}, flags...)...)
	h.cmd.SysProcAttr.Setsid, h.cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	h.cmd.Stdout, h.cmd.Stderr = in, in
	if err := h.cmd.Start(); err != nil {
		return errors.Join(err, in.Close(), out.Close())
	}
	in.Close()
	h.Sessions = append(h.Sessions, h.cmd.Process.Pid)
	h.ended, h.quiet = make(chan struct{}), make(chan struct{})
	go h.read(out, h.quiet)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		cmd.Wait()
	}(h.cmd, h.ended)
	return nil
}

// command returns nx as a process of the system's user.
func (h *Host) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(h.Bin, "nx"), args...)
	cmd.Env = []string{"TMPDIR=" + h.Tmp}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.User}
	return cmd
}

// read records the console until its end.
func (h *Host) read(console io.ReadCloser, quiet chan struct{}) {
	defer close(quiet)
	defer console.Close()
	for lines := bufio.NewScanner(console); lines.Scan(); {
		h.mu.Lock()
		h.lines = append(h.lines, lines.Text())
		if extra := len(h.lines) - keptLines; extra > 0 {
			h.lines, h.dropped = slices.Delete(h.lines, 0, extra), h.dropped+extra
		}
		h.mu.Unlock()
	}
}

// Shown returns the number of console lines so far.
func (h *Host) Shown() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dropped + len(h.lines)
}

// Since returns the lines of the console, starting with that number.
func (h *Host) Since(line int) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines[max(0, min(line-h.dropped, len(h.lines))):])
}

// Exit returns the exit status of initd, or -1 if it was killed. It is valid once initd has ended.
func (h *Host) Exit() int { return h.cmd.ProcessState.ExitCode() }

// PID returns initd's process id.
func (h *Host) PID() int { return h.cmd.Process.Pid }

// Members returns the living processes of the current system.
func (h *Host) Members() []Proc { return Living(Session(h.PID())) }

// Alive reports whether initd runs.
func (h *Host) Alive() bool {
	select {
	case <-h.ended:
		return false
	default:
		return true
	}
}

// Gone waits until no process of any system so far is left.
func (h *Host) Gone() error {
	var left []Proc
	err := Within(GoneBound, "the end of every process", func() bool {
		left = Living(Session(h.Sessions...))
		return !h.Alive() && len(left) == 0
	})
	if err != nil {
		return fmt.Errorf("%w; left: %v", err, left)
	}
	<-h.quiet
	return nil
}

// Kill kills all processes, in whatever state the system is.
func (h *Host) Kill() {
	for range 100 {
		left := Living(Session(h.Sessions...))
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
		time.Sleep(LookPause)
	}
}

// Within polls until so returns true, at most for bound.
func Within(bound time.Duration, what string, so func() bool) error {
	deadline := time.After(bound)
	look := time.NewTicker(LookPause)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-deadline:
			return fmt.Errorf("timed out after %s waiting for %s", bound, what)
		}
	}
	return nil
}
