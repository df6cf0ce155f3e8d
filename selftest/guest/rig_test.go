package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nexus/selftest/console"
	"nexus/selftest/image"
	"nexus/selftest/kernel"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// patience bounds each wait for a guest. Emulation is slow where others use the machine too; reaching this is a
// failure.
const patience = 5 * time.Minute

// guests are the architectures that `make test-os` has prepared.
func guests(t *testing.T) []string {
	t.Helper()
	list := strings.Fields(os.Getenv("NEXUS_GUESTS"))
	if len(list) == 0 {
		t.Skip("needs QEMU, kernels and images: `make test-os` prepares them and runs this")
	}
	kit.HearSignals()
	return list
}

// each runs a test in all guests at once.
func each(t *testing.T, f func(t *testing.T, m qemu.Machine)) {
	eachInTurn(t, func(t *testing.T, m qemu.Machine) {
		t.Parallel()
		f(t, m)
	})
}

// eachInTurn runs a test in every guest, for what only one can have at a time.
func eachInTurn(t *testing.T, f func(t *testing.T, m qemu.Machine)) {
	for _, arch := range guests(t) {
		t.Run(arch, func(t *testing.T) { f(t, machineOf(t, arch)) })
	}
}

// top is the grammar with the folders as they are seen from here.
func top() *grammar { return &grammar{Cache: "../../.cache/guest", Out: "../../out/guest"} }

func machineOf(t *testing.T, arch string) qemu.Machine {
	t.Helper()
	m, err := (&machineFlags{Arch: arch, Memory: qemu.DefaultMemory}).machine(top())
	kit.Must(t, err)
	return m
}

// A running is a guest that runs, with operators let in.
type running struct {
	*qemu.Guest
	t     *testing.T
	dir   string
	lines console.Lines
}

func up(t *testing.T, m qemu.Machine) *running {
	t.Helper()
	r := &running{t: t, dir: t.TempDir()}
	guest, err := qemu.Start(m, r.dir)
	kit.Must(t, err)
	r.Guest = guest
	t.Cleanup(func() {
		guest.Kill()
		guest.Wait()
		if t.Failed() {
			t.Logf("the console:\n%s", strings.Join(r.console(), "\n"))
		}
	})
	go r.lines.Read(r.Console(), nil)
	return r
}

func (r *running) console() []string { return r.lines.Since(0) }

// await waits for the nth line that has a text in it.
func (r *running) await(text string, nth int) {
	r.t.Helper()
	err := r.lines.Await(patience, text, func(lines []string) (bool, error) { return count(lines, text) >= nth, nil })
	if err != nil {
		r.t.Fatal(err)
	}
}

func count(lines []string, text string) (n int) {
	for _, line := range lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// end waits for the machine's end.
func (r *running) end() error {
	r.t.Helper()
	select {
	case <-r.Done():
		return r.Wait()
	case <-time.After(patience):
		r.t.Fatalf("the guest does not end")
		return nil
	}
}

// logged waits until the log has a text in it: what a program prints may reach it after its set is healthy.
func (r *running) logged(text string) {
	r.t.Helper()
	if err := kit.Within(patience, text, func() bool { return strings.Contains(r.nx("log").stdout, text) }); err != nil {
		r.t.Fatal(err)
	}
}

// A result is what a command of the operator's gave.
type result struct {
	stdout, stderr string
	status         int
}

// command is nx, as a user has it.
func (r *running) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "../../bin/nx", append([]string{"--dir", r.dir}, args...)...)
}

func (r *running) nx(args ...string) result {
	r.t.Helper()
	return r.nxOver(0, args...)
}

// nxOver is nx for a command that goes on over so many boots of the machine.
func (r *running) nxOver(boots int, args ...string) result {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Duration(1+boots)*patience)
	defer cancel()
	return outcomeOf(r.t, r.command(ctx, args...))
}

// outcomeOf is how a command ended. Its context bounds it.
func outcomeOf(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited || cmd.ProcessState.ExitCode() < 0 {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, &errs)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// want wants the status and a text in what was printed.
func (got result) want(t *testing.T, status int, text string) {
	t.Helper()
	if got.status != status || !strings.Contains(got.stdout+got.stderr, text) {
		t.Fatalf("status %d, want %d and %q in\n%s%s", got.status, status, text, got.stdout, got.stderr)
	}
}

// set is one of the demo's, for a guest.
func set(arch, name string) string { return filepath.Join("../../out/guest", arch, "demo", name) }

// rebuild builds the demo's image with other modules.
func rebuild(t *testing.T, arch string, found kernel.Cached) string {
	t.Helper()
	spec, err := top().place(arch).spec(found)
	kit.Must(t, err)
	path := filepath.Join(t.TempDir(), "initramfs")
	if _, err := image.WriteFile(path, spec); err != nil {
		t.Fatal(err)
	}
	return path
}

// child is the one child of a process.
func child(t *testing.T, pid int) int {
	t.Helper()
	for _, p := range kit.Living(kit.All()) {
		if p.Parent == pid {
			return p.PID
		}
	}
	t.Fatalf("process %d has no child", pid)
	return 0
}

// awaitGone waits until there is no such process.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	err := kit.Within(patience, "its end", func() bool {
		p, there := kit.ProcOf(pid)
		return !there || p.Zombie
	})
	if err != nil {
		t.Fatalf("process %d: %v", pid, err)
	}
}
