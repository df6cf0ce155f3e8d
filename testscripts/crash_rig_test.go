package testscripts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/selftest/kit"
)

// A crashRig is one system of the matrix: real processes on a folder of its own.
type crashRig struct {
	t      *testing.T
	dir    string
	system *system       // its console
	stderr *collector    // what it says beside
	state  systemState   // when it was last quiet
	rolls  servicesState // likewise
	last   string        // why it is not as wanted, for a wait that fails
	killed bool          // all of it
}

// newCrashRig starts a system in a folder, with more flags; it runs oldVersion, and that is healthy.
func newCrashRig(t *testing.T, dir string, flags ...string) *crashRig {
	r := &crashRig{t: t, dir: dir, stderr: &collector{news: make(chan struct{}, 1)}}
	r.system = &system{}
	r.system.cmd = exec.Command(filepath.Join(shared.bin(), "nx"),
		append([]string{"up", "--dir", r.dir, "--settle", "200ms",
			"--hang", benchHang.String(), "--trust", filepath.Join(shared.demo(), "keys", "demo.pub"), "--factory",
			setFile(oldVersion)}, flags...)...)
	r.system.cmd.Env = []string{}
	r.system.cmd.Stderr = r.stderr
	if err := r.system.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.halt)
	r.eventually("the factory's set to be healthy", func() bool { return r.system.Count("init: health ok") > 0 })
	return r
}

// halt stops the system, which must be able to, whatever befell it.
func (r *crashRig) halt() {
	family := kit.Descendants(r.system.cmd.Process.Pid)
	r.system.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.system.ended:
	case <-time.After(waitLimit):
		r.t.Error("the system does not end")
		for _, p := range append(family, kit.Proc{PID: r.system.cmd.Process.Pid}) {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
	}
	if code := r.system.cmd.ProcessState.ExitCode(); code != 0 && !r.killed && !r.t.Failed() {
		r.t.Errorf("the system ended with status %d", code)
	}
	if r.t.Failed() {
		r.t.Logf("console:\n%s", strings.Join(r.system.Since(0), "\n"))
	}
}

func (r *crashRig) at(name string) string { return filepath.Join(r.dir, name) }

func setFile(version string) string {
	return filepath.Join(shared.demo(), "system-v"+version+".nxs")
}

// strike has the cell's daemon crash.
func (r *crashRig) strike(c cell) {
	r.t.Helper()
	for _, p := range kit.Descendants(r.system.cmd.Process.Pid) {
		if p.Name == c.daemon {
			if err := syscall.Kill(p.PID, c.crash.signal); err != nil {
				r.t.Fatal(err)
			}
			return
		}
	}
	r.t.Fatalf("no process is named %s", c.daemon)
}

// A verbRun is one command of the operator's.
type verbRun struct {
	*kit.Verb
	verb string
}

// A verbEnd is how one ended.
type verbEnd struct {
	verb   string
	exit   int
	reason string // stable code of the failure
	text   string // the same for people
}

// operator is who operates the system.
func (r *crashRig) operator() kit.NX { return kit.NX{Bin: shared.bin(), Dir: r.dir} }

// start starts nx for a program, as the operator.
func (r *crashRig) start(args ...string) *verbRun {
	r.t.Helper()
	v, err := r.operator().Start(false, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return &verbRun{v, args[0]}
}

// wait wants the command to end, with a result or with a reason.
func (v *verbRun) wait(r *crashRig) verbEnd {
	r.t.Helper()
	<-v.Done
	end := verbEnd{verb: v.verb, exit: v.Exit(), reason: string(v.Reason())}
	var failure struct{ Error string }
	lines := bytes.Split(bytes.TrimSpace(v.Stdout.Bytes()), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &failure); err != nil {
		r.t.Errorf("%v, and what it says is no answer: %q\n%s", v, v.Stdout.Bytes(), v.Said())
	}
	end.text = failure.Error
	if end.exit != 0 && (end.exit != 1 || end.reason == "" || end.reason == "failed") {
		r.t.Errorf("%v, without a reason that a program can act on", v)
	}
	return end
}

// hold stops the command and reports whether it stands still now; otherwise it has ended.
func (v *verbRun) hold() bool {
	v.Signal(syscall.SIGSTOP)
	for !v.Ended() {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.PID()))
		if _, after, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(after, "T") {
			return true
		}
	}
	return false
}

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
func (r *crashRig) ask(answer any, args ...string) error { return r.operator().Ask(answer, args...) }
