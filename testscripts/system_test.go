package testscripts

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"nexus/selftest/console"
	"nexus/selftest/kit"
)

// waitLimit ends a wait of a scenario that hangs. On a slow machine a wait may be long.
const waitLimit = 5 * time.Minute

// systemKey is the key of a scenario's system among its values.
type systemKey struct{}

// A system is the one a scenario runs in the foreground of its own, with its console.
type system struct {
	*console.Lines        // of this run
	limit          string // under which it boots, as the words of ulimit; empty: none of its own
	cmd            *exec.Cmd
	ended          chan struct{}
}

// start starts its command. The console is standard output, and what the command has no other place for.
func (s *system) start() error {
	s.Lines, s.ended = &console.Lines{}, make(chan struct{})
	out, in := io.Pipe()
	s.cmd.Stdout = in
	if s.cmd.Stderr == nil {
		s.cmd.Stderr = in
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go s.Read(out, nil)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		cmd.Wait()
		in.Close()
	}(s.cmd, s.ended)
	return nil
}

func systemOf(ts *testscript.TestScript) *system { return ts.Value(systemKey{}).(*system) }

// boot starts `nx up` with the given flags; `boot FLAGS` waits for the first health, `! boot` does not.
func boot(ts *testscript.TestScript, neg bool, args []string) {
	s := systemOf(ts)
	s.cmd = exec.Command(filepath.Join(shared.bin(), "nx"), append([]string{"up", "--settle", "200ms"}, args...)...)
	if s.limit != "" {
		s.cmd = exec.Command("sh", append([]string{"-c", "ulimit " + s.limit + ` && exec "$0" "$@"`}, s.cmd.Args...)...)
	}
	s.cmd.Env = []string{"NX_DIR=" + ts.Getenv("NX_DIR"), "PATH=" + ts.Getenv("PATH")}
	s.cmd.Dir = ts.MkAbs(".")
	ts.Check(s.start())
	ts.Defer(func() {
		s.cmd.Process.Signal(syscall.SIGTERM)
		s.awaitEnded(ts)
		ts.Logf("console:\n%s", strings.Join(s.Since(0), "\n"))
	})
	if !neg {
		s.await(ts, "init: health ok", 1)
	}
}

// limit has the next boots run under a limit of the shell's: `limit -n 512`.
func limit(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: limit FLAG VALUE")
	}
	systemOf(ts).limit = strings.Join(args, " ")
}

// awaitLine waits until the console has shown a line that begins so: `await TEXT [COUNT]`. `! await TEXT` wants that it
// has not.
func awaitLine(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await text [count]")
	}
	s, count := systemOf(ts), 1
	if len(args) == 2 {
		_, err := fmt.Sscan(args[1], &count)
		ts.Check(err)
	}
	if neg {
		if seen := s.Count(args[0]); seen > 0 {
			ts.Fatalf("the console shows %q", args[0])
		}
		return
	}
	s.await(ts, args[0], count)
}

func (s *system) await(ts *testscript.TestScript, text string, count int) {
	err := s.Await(waitLimit, fmt.Sprintf("%q (%d times)", text, count), func(lines []string) (bool, error) {
		return console.Count(lines, text) >= count, nil
	})
	if err != nil {
		ts.Fatalf("%v\n%s", err, strings.Join(s.Since(0), "\n"))
	}
}

// awaitEnd waits until the system has ended by itself, with the exit status that is given: `end 0`.
func awaitEnd(ts *testscript.TestScript, _ bool, args []string) {
	s := systemOf(ts)
	s.awaitEnded(ts)
	if got := fmt.Sprint(s.cmd.ProcessState.ExitCode()); len(args) != 1 || got != args[0] {
		ts.Fatalf("the system ended with status %s, want %v\n%s", got, args, strings.Join(s.Since(0), "\n"))
	}
}

// halt stops the system as Ctrl-C does, wants exit status 0, and that no process of it is left.
func halt(ts *testscript.TestScript, _ bool, _ []string) {
	s := systemOf(ts)
	family := kit.Descendants(s.cmd.Process.Pid)
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	awaitEnd(ts, false, []string{"0"})
	wantGone(ts, family)
}

// killSystem kills initd itself, and wants that every daemon and service ends with it.
func killSystem(ts *testscript.TestScript, _ bool, _ []string) {
	s := systemOf(ts)
	family := kit.Descendants(s.cmd.Process.Pid)
	ts.Check(s.cmd.Process.Kill())
	s.awaitEnded(ts)
	wantGone(ts, family)
}

func (s *system) awaitEnded(ts *testscript.TestScript) {
	select {
	case <-s.ended:
	case <-time.After(waitLimit):
		s.cmd.Process.Kill()
		ts.Fatalf("the system does not end")
	}
}

// signalProcess sends a signal to a daemon or, by the bundle's name, to a service: `signal KILL updated`.
func signalProcess(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "QUIT": syscall.SIGQUIT, "STOP": syscall.SIGSTOP,
		"CONT": syscall.SIGCONT}
	if len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal KILL|QUIT|STOP|CONT name")
	}
	s := systemOf(ts)
	for _, p := range kit.Descendants(s.cmd.Process.Pid) {
		if p.Name == args[1] {
			ts.Check(syscall.Kill(p.PID, signals[args[0]]))
			if args[0] == "KILL" {
				wantGone(ts, []kit.Proc{p})
			}
			return
		}
	}
	ts.Fatalf("no process is named %s", args[1])
}

// freeze stops all processes of the system, as a machine that is frozen or suspended does, and has them go on after a
// time: `freeze 4s`.
func freeze(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: freeze duration")
	}
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	s := systemOf(ts)
	ts.Check(s.cmd.Process.Signal(syscall.SIGSTOP)) // first, so that it sees nobody else stand still
	family := kit.Descendants(s.cmd.Process.Pid)
	for _, p := range family {
		ts.Check(syscall.Kill(p.PID, syscall.SIGSTOP))
	}
	<-time.After(d)
	ts.Check(s.cmd.Process.Signal(syscall.SIGCONT))
	for _, p := range family {
		ts.Check(syscall.Kill(p.PID, syscall.SIGCONT))
	}
}

// running waits until a daemon or a service runs: `running NAME`; or one below another, as an orphan is not: `running
// NAME PARENT`.
func running(ts *testscript.TestScript, _ bool, args []string) {
	s := systemOf(ts)
	named := func(name string) func(kit.Proc) bool { return func(p kit.Proc) bool { return p.Name == name } }
	eventually(ts, args[0]+" to run", func() bool {
		family := kit.Descendants(s.cmd.Process.Pid)
		if len(args) == 1 {
			return slices.ContainsFunc(family, named(args[0]))
		}
		return slices.ContainsFunc(family, func(p kit.Proc) bool {
			return p.Name == args[1] && slices.ContainsFunc(kit.Descendants(p.PID), named(args[0]))
		})
	})
}

// statusIs waits until a value of `nx status --json` is as given, in JSON: `status activeSlot "b"`.
// `slots.b.systemVersion` goes deeper.
func statusIs(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: status path json")
	}
	eventually(ts, fmt.Sprintf("status %s to be %s; last it was %s", args[0], args[1], statusValue(ts, args[0])),
		func() bool {
			return statusValue(ts, args[0]) == args[1]
		})
}

func statusValue(ts *testscript.TestScript, path string) string {
	if err := ts.Exec("nx", "status", "--json"); err != nil {
		return err.Error()
	}
	var value any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &value); err != nil {
		return err.Error()
	}
	for _, key := range strings.Split(path, ".") {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	raw, err := json.Marshal(value)
	ts.Check(err)
	return string(raw)
}

// noLitter wants that the folder holds nothing that only a running system needs.
func noLitter(ts *testscript.TestScript, _ bool, _ []string) {
	for _, name := range []string{"control.sock", "run", "system/sets/.stage"} {
		if _, err := os.Lstat(filepath.Join(ts.Getenv("NX_DIR"), name)); !os.IsNotExist(err) {
			ts.Fatalf("%s is left (%v)", name, err)
		}
	}
}
