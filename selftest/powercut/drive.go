package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"nexus/selftest/kernel"
	"nexus/selftest/qemu"
	"nexus/selftest/watch"
)

// A device is one machine and its disk, across many starts.
type device struct {
	machine qemu.Machine
	nx      string // path of the operator's command
	dir     string // folder of its control socket
	console *os.File
}

// A session is one run of the device, from its start to its end.
type session struct {
	*qemu.Guest
	device *device

	mu    sync.Mutex
	lines []string
	grown chan struct{} // closed and replaced with each line, closed at the end
	over  bool
}

// newDevice uses what `make guest-image` has built.
func newDevice(arch, cache, out, bin, work string) (*device, error) {
	found, err := kernel.Find(cache, arch)
	if err != nil {
		return nil, err
	}
	image := filepath.Join(out, arch, "initramfs.zst")
	if _, err := os.Stat(image); err != nil {
		return nil, &kernel.MissingError{Guest: arch, What: image, Cause: err, Command: "guest-image"}
	}
	console, err := os.Create(filepath.Join(work, "console.log"))
	if err != nil {
		return nil, err
	}
	return &device{
		machine: qemu.Machine{Arch: arch, Kernel: found, Image: image, Memory: qemu.DefaultMemory, Reboots: true},
		nx:      filepath.Join(bin, "nx"), dir: work, console: console,
	}, nil
}

// patient returns arguments for init that prevent a machine slowed down by others from being taken for a hung one: here
// only cuts should cause faults.
func patient() []string { return []string{"--hang", "0", "--health-deadline", "5m"} }

func (d *device) start() (*session, error) {
	guest, err := qemu.Start(d.machine, d.dir)
	if err != nil {
		return nil, err
	}
	l := &session{Guest: guest, device: d, grown: make(chan struct{})}
	go l.read()
	return l, nil
}

func (l *session) read() {
	lines := bufio.NewScanner(l.Console())
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		fmt.Fprintln(l.device.console, line)
		l.mu.Lock()
		l.lines = append(l.lines, line)
		close(l.grown)
		l.grown = make(chan struct{})
		l.mu.Unlock()
	}
	l.mu.Lock()
	l.over = true
	close(l.grown)
	l.mu.Unlock()
}

// told returns the console lines so far.
func (l *session) told() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

// says reports whether a line starts with the text.
func (l *session) says(text string) bool { return count(l.told(), text) > 0 }

// patience bounds each wait for a guest.
const patience = 5 * time.Minute

// await waits until a condition on the console holds, and checks it after each line.
func (l *session) await(what string, holds func(lines []string) bool) error {
	late := time.After(patience)
	for {
		l.mu.Lock()
		lines, grown, over := l.lines, l.grown, l.over
		l.mu.Unlock()
		if holds(lines) {
			return nil
		}
		if bad := fatal(lines); bad != "" {
			return fmt.Errorf("the guest gave up: %s", bad)
		}
		if over {
			return fmt.Errorf("the console ended while waiting for %s", what)
		}
		select {
		case <-grown:
		case <-late:
			return fmt.Errorf("no %s within %v", what, patience)
		}
	}
}

// awaitLine waits for the nth line that starts with the text.
func (l *session) awaitLine(text string, nth int) error {
	return l.await(fmt.Sprintf("%q", text), func(lines []string) bool { return count(lines, text) >= nth })
}

// fatal returns the first line that no healthy system prints, wherever the power is cut, or "". The end of a daemon is
// not fatal, because it is restarted.
func fatal(lines []string) string {
	for _, line := range lines {
		if what := watch.Fault(line); what != "" && what != watch.DaemonCrash {
			return what + ": " + line
		}
	}
	return ""
}

func count(lines []string, text string) (n int) {
	for _, line := range lines {
		if strings.HasPrefix(line, text) {
			n++
		}
	}
	return n
}

// gone reports whether the machine has ended.
func (l *session) gone() bool {
	select {
	case <-l.Done():
		return true
	default:
		return false
	}
}

// end kills the machine and waits until it has ended.
func (l *session) end() {
	l.Kill()
	l.Wait()
}

// run runs nx to its end.
func (l *session) run(args ...string) (stdout string, status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.device.nx, append([]string{"--dir", l.device.dir}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		err = nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("nx %q: %w", args, err)
	}
	return out.String() + errs.String(), cmd.ProcessState.ExitCode(), nil
}

// ask runs nx and decodes its answer.
func (l *session) ask(answer any, args ...string) error {
	out, status, err := l.run(append([]string{"--json"}, args...)...)
	if err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("nx %q: %s", args, strings.TrimSpace(out))
	}
	return json.Unmarshal([]byte(out), answer)
}
