// Package kit is what the harnesses share that run whole systems: the operator's program, a system of real processes in
// one folder, plans that a seed decides, waiting, and comparing folders. It observes a system only from outside:
// through its console, nx and /proc.
package kit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"nexus/selftest/console"
)

// Bounds on what the system may take. They do not decide anything; they only turn a hang into a failure.
const (
	StartBound = 2 * time.Minute // from `nx up` to healthy
	GoneBound  = time.Minute     // from the death of initd to that of the last process
	LookPause  = 2 * time.Millisecond
)

// A Host runs one system at a time in one folder, each in a session of its own.
type Host struct {
	NX                  // its operator; Bin has nexus, too, and all processes have the same user
	console.Lines       // of the consoles of all systems
	Sessions      []int // the sessions of all systems so far

	cmd   *exec.Cmd
	ended chan struct{} // closed when initd has ended
	quiet chan struct{} // closed when no process is left that could write to the console
}

// Up starts the system with these flags, without waiting.
func (h *Host) Up(flags ...string) error {
	h.cmd = h.command(append([]string{"up"}, flags...)...)
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
	go func(quiet chan struct{}) {
		defer close(quiet)
		defer out.Close()
		h.Read(out, nil)
	}(h.quiet)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		cmd.Wait()
	}(h.cmd, h.ended)
	return nil
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

// Ended waits for the end of every process, and wants initd to have ended in order.
func (h *Host) Ended() error {
	if err := h.Gone(); err != nil {
		return err
	}
	if h.Exit() != 0 {
		return fmt.Errorf("the system ended with status %d", h.Exit())
	}
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
