package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Bounds of what the system may take. None of them decides what is done: they turn a hang into a failure.
const (
	startBound = 30 * time.Second // from `nx up` to healthy
	goneBound  = 15 * time.Second // from the death of initd to that of the last process
	lookPause  = 2 * time.Millisecond
)

// How the system is run: little patience, so that the soak takes many steps. The deadline is still longer than initd's longest pause before
// it starts a daemon again (5 s), so that no set fails for a daemon that is killed often.
const (
	settle         = 50 * time.Millisecond
	healthDeadline = 8 * time.Second
	tries          = 2
	hang           = 2 * time.Second // long beside what a busy machine makes a daemon wait, short beside the bounds
)

// keptLines is how much of the console is kept.
const keptLines = 4000

// A Host runs one system at a time on one folder, each in a session of its own.
type Host struct {
	bin     string // nx and nexus
	dir     string // the system's folder
	factory string
	trust   string
	tmp     string // TMPDIR of every process

	cmd      *exec.Cmd
	ended    chan struct{} // closed when initd has ended
	sessions []int         // of all systems there have been
	starts   int

	mu      sync.Mutex
	lines   []string // of the console, of all systems
	dropped int      // how many are no longer kept
}

// up starts the system; it does not wait.
func (h *Host) up() error {
	h.cmd = exec.Command(filepath.Join(h.bin, "nx"), "up", "--dir", h.dir, "--trust", h.trust, "--factory", h.factory,
		"--settle", settle.String(), "--hang", hang.String(), "--health-deadline", healthDeadline.String(), "--tries", strconv.Itoa(tries),
		"--limit-archive", strconv.Itoa(limitArchive), "--limit-payload", strconv.Itoa(limitPayload))
	h.cmd.Env = []string{"TMPDIR=" + h.tmp}
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	h.cmd.Stdout, h.cmd.Stderr = in, in
	if err := h.cmd.Start(); err != nil {
		return errors.Join(err, in.Close(), out.Close())
	}
	in.Close()
	h.starts++
	h.sessions = append(h.sessions, h.cmd.Process.Pid)
	h.ended = make(chan struct{})
	go h.read(out)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		cmd.Wait()
	}(h.cmd, h.ended)
	return nil
}

// read keeps the console.
func (h *Host) read(console io.ReadCloser) {
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

// shown is how many lines the console has shown so far.
func (h *Host) shown() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dropped + len(h.lines)
}

// since returns the console's lines from the one with that number on.
func (h *Host) since(line int) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines[max(0, min(line-h.dropped, len(h.lines))):])
}

// pid is initd's.
func (h *Host) pid() int { return h.cmd.Process.Pid }

// members are the living processes of the system that runs now.
func (h *Host) members() []Proc { return living(session(h.pid())) }

// alive tells whether initd runs.
func (h *Host) alive() bool {
	select {
	case <-h.ended:
		return false
	default:
		return true
	}
}

// gone waits until no process of any system there has been is left.
func (h *Host) gone() error {
	var left []Proc
	err := within(goneBound, "the end of every process", func() bool {
		left = living(session(h.sessions...))
		return !h.alive() && len(left) == 0
	})
	if err != nil {
		return fmt.Errorf("%w; left: %v", err, left)
	}
	return nil
}

// kill ends all there is, whatever state it is in.
func (h *Host) kill() {
	for range 100 {
		left := living(session(h.sessions...))
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
		time.Sleep(lookPause)
	}
}

// within looks again and again until something is so, and gives up after the bound.
func within(bound time.Duration, what string, so func() bool) error {
	deadline := time.After(bound)
	look := time.NewTicker(lookPause)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-deadline:
			return fmt.Errorf("waited %s in vain for %s", bound, what)
		}
	}
	return nil
}
