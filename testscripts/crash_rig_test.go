package testscripts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A crashRig is one system of the matrix: real processes on a folder of its own.
type crashRig struct {
	t      *testing.T
	dir    string
	system *system       // its console
	stderr *console      // what it says beside
	state  systemState   // when it was last quiet
	rolls  servicesState // likewise
	last   string        // why it is not as wanted, for a wait that fails
	killed bool          // all of it
}

// newCrashRig starts a system in a folder, with more flags; it runs oldVersion, and that is healthy.
func newCrashRig(t *testing.T, dir string, flags ...string) *crashRig {
	r := &crashRig{t: t, dir: dir, stderr: &console{news: make(chan struct{}, 1)}}
	r.system = &system{ended: make(chan struct{}), news: make(chan struct{})}
	r.system.cmd = exec.Command(filepath.Join(shared.bin(), "nx"),
		append([]string{"up", "--dir", r.dir, "--settle", "200ms",
			"--hang", benchHang.String(), "--trust", filepath.Join(shared.demo(), "keys", "demo.pub"), "--factory",
			setFile(oldVersion)}, flags...)...)
	r.system.cmd.Env = []string{}
	out, in := io.Pipe()
	r.system.cmd.Stdout, r.system.cmd.Stderr = in, r.stderr
	if err := r.system.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go r.system.read(out)
	go func() {
		defer close(r.system.ended)
		r.system.cmd.Wait()
		in.Close()
	}()
	t.Cleanup(r.halt)
	r.eventually("the factory's set to be healthy", func() bool { return r.system.count("init: health ok") > 0 })
	return r
}

// halt stops the system, which must be able to, whatever befell it.
func (r *crashRig) halt() {
	family := descendants(r.system.cmd.Process.Pid)
	r.system.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.system.ended:
	case <-time.After(waitLimit):
		r.t.Error("the system does not end")
		for _, p := range append(family, proc{pid: r.system.cmd.Process.Pid}) {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	if code := r.system.cmd.ProcessState.ExitCode(); code != 0 && !r.killed && !r.t.Failed() {
		r.t.Errorf("the system ended with status %d", code)
	}
	if r.t.Failed() {
		r.t.Logf("console:\n%s", strings.Join(r.system.console(), "\n"))
	}
}

func (r *crashRig) at(name string) string { return filepath.Join(r.dir, name) }

func setFile(version string) string {
	return filepath.Join(shared.demo(), "system-v"+version+".nxs")
}

// strike has the cell's daemon crash.
func (r *crashRig) strike(c cell) {
	r.t.Helper()
	for _, p := range descendants(r.system.cmd.Process.Pid) {
		if p.name == c.daemon {
			if err := syscall.Kill(p.pid, c.crash.signal); err != nil {
				r.t.Fatal(err)
			}
			return
		}
	}
	r.t.Fatalf("no process is named %s", c.daemon)
}

// A verbRun is one command of the operator's.
type verbRun struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
	done   chan struct{}
}

// A verbEnd is how one ended.
type verbEnd struct {
	verb   string
	exit   int
	reason string // stable code of the failure
	text   string // the same for people
}

// start starts nx for a program, as the operator.
func (r *crashRig) start(args ...string) *verbRun {
	r.t.Helper()
	v := &verbRun{done: make(chan struct{})}
	v.cmd = exec.Command(filepath.Join(shared.bin(), "nx"), append([]string{"--dir", r.dir, "--json"}, args...)...)
	v.cmd.Stdout, v.cmd.Stderr = &v.stdout, &v.stderr
	if err := v.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		defer close(v.done)
		v.cmd.Wait()
	}()
	return v
}

// wait wants the command to end, with a result or with a reason.
func (v *verbRun) wait(r *crashRig) verbEnd {
	r.t.Helper()
	verb := v.cmd.Args[4]
	select {
	case <-v.done:
	case <-time.After(waitLimit):
		v.cmd.Process.Kill()
		r.t.Fatalf("nx %s does not end", verb)
	}
	end := verbEnd{verb: verb, exit: v.cmd.ProcessState.ExitCode()}
	var failure struct{ Error, Reason string }
	lines := bytes.Split(bytes.TrimSpace(v.stdout.Bytes()), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &failure); err != nil {
		r.t.Errorf("nx %s: exit %d, and what it says is no answer: %q\n%s", verb, end.exit, v.stdout.Bytes(),
			v.stderr.Bytes())
	}
	end.reason, end.text = failure.Reason, failure.Error
	if end.exit != 0 && (end.exit != 1 || end.reason == "" || end.reason == "failed") {
		r.t.Errorf("nx %s: exit %d without a reason that a program can act on: %+v", verb, end.exit, end)
	}
	return end
}

func (v *verbRun) ended() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

// hold stops the command and reports whether it stands still now; otherwise it has ended.
func (v *verbRun) hold() bool {
	v.signal(syscall.SIGSTOP)
	for !v.ended() {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.cmd.Process.Pid))
		if _, after, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(after, "T") {
			return true
		}
	}
	return false
}

func (v *verbRun) signal(s syscall.Signal) { v.cmd.Process.Signal(s) }

// nx runs a command to its end.
func (r *crashRig) nx(args ...string) verbEnd {
	r.t.Helper()
	return r.start(args...).wait(r)
}

// must runs a command that has to succeed.
func (r *crashRig) must(args ...string) {
	r.t.Helper()
	if end := r.nx(args...); end.exit != 0 {
		r.t.Fatalf("nx %s: %+v", strings.Join(args, " "), end)
	}
}

// ask reads the answer of a command that may fail while a daemon is away.
func (r *crashRig) ask(answer any, args ...string) error {
	v := r.start(args...)
	select {
	case <-v.done:
	case <-time.After(waitLimit):
		v.cmd.Process.Kill()
		return fmt.Errorf("nx %v does not end", args)
	}
	if code := v.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("nx %v: exit %d: %s", args, code, v.stderr.Bytes())
	}
	return json.Unmarshal(v.stdout.Bytes(), answer)
}
