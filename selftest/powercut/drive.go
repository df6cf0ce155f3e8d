package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"nexus/selftest/console"
	"nexus/selftest/kernel"
	"nexus/selftest/qemu"
)

// A device is one machine and its disk, across many starts.
type device struct {
	machine qemu.Machine
	nx      string   // path of the operator's command
	dir     string   // folder of its control socket
	shown   *os.File // where consoles are kept
}

// A session is one run of the device, from its start to its end.
type session struct {
	*qemu.Guest
	console.Lines
	device *device
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
	shown, err := os.Create(filepath.Join(work, "console.log"))
	if err != nil {
		return nil, err
	}
	return &device{
		machine: qemu.Machine{Arch: arch, Kernel: found, Image: image, Memory: qemu.DefaultMemory, Reboots: true},
		nx:      filepath.Join(bin, "nx"), dir: work, shown: shown,
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
	l := &session{Guest: guest, device: d}
	go l.Read(guest.Console(), d.shown)
	return l, nil
}

// says reports whether a line starts with the text.
func (l *session) says(text string) bool { return l.Count(text) > 0 }

// patience bounds each wait for a guest.
const patience = 5 * time.Minute

// awaitLine waits for the nth line that starts with the text.
func (l *session) awaitLine(text string, nth int) error {
	return l.Await(patience, fmt.Sprintf("%q", text), func(lines []string) (bool, error) {
		if bad := fatal(lines); bad != "" {
			return false, fmt.Errorf("the guest gave up: %s", bad)
		}
		return console.Count(lines, text) >= nth, nil
	})
}

// fatal returns the first line that no healthy system prints, wherever the power is cut, or "". The end of a daemon is
// not fatal, because it is restarted.
func fatal(lines []string) string {
	for _, line := range lines {
		if what := console.Fault(line); what != "" && what != console.DaemonCrash {
			return what + ": " + line
		}
	}
	return ""
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
