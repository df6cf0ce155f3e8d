package plat_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nexus/daemons/plat"
)

// TestMain makes the test's own program the stage, and a payload, when it is started as one.
func TestMain(m *testing.M) {
	dieAsStage()
	plat.Stage()
	if role := roles()[os.Args[0]]; role != nil {
		role()
		return
	}
	os.Exit(m.Run())
}

// roles are what the test's own program does as a payload, by argv[0].
func roles() map[string]func() {
	return map[string]func(){
		"wait":       wait,
		"server":     server,
		"spoil":      spoil,
		"binder":     binder,
		"client":     client,
		"forks":      forks,
		"parent":     func() { fmt.Println(os.Getppid()); wait() },
		"leave":      leave,
		"detach":     detach,
		"runner":     runner,
		"stray":      func() { fmt.Println("stray"); wait() },
		"relay":      relay,
		"starter":    func() { starter(plat.Command{Argv: []string{"wait"}, DieWithParent: true}) },
		"waker":      func() { starter(plat.Command{Argv: []string{"stopped"}, GoOnWithout: true}) },
		"stopped":    stopped,
		"hindrances": hindrances,
		smallRole:    wait,
		"env":        func() { fmt.Println(os.Environ(), os.Args) },
	}
}

func wait() {
	fmt.Println("here")
	time.Sleep(time.Hour)
}

// leave moves the program into the group of whoever started the system, and into a session of its own.
func leave() {
	session, _, _ := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	err := syscall.Setpgid(0, int(session))
	_, err2 := syscall.Setsid()
	fmt.Println(err, err2, syscall.Getpgrp() == os.Getpid())
	wait()
}

// start starts a copy of the program under another name.
func start(name string, attr *syscall.SysProcAttr) {
	child := exec.Command("/proc/self/exe")
	child.Args = []string{name}
	child.Stdout, child.Stderr, child.SysProcAttr = os.Stdout, os.Stderr, attr
	if err := child.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// detach leaves a child behind in a session and group of its own, and ends.
func detach() { start("stray", &syscall.SysProcAttr{Setsid: true}) }

// runner keeps a child that has moved to another group, and runs on.
func runner() {
	start("stray", &syscall.SysProcAttr{Setpgid: true})
	wait()
}

// relay starts itself anew and ends, again and again: whoever looks for it finds what has ended already.
func relay() {
	start("relay", &syscall.SysProcAttr{Setpgid: true})
}

// stopped stops, and ends when it is continued.
func stopped() {
	fmt.Println("here")
	syscall.Kill(os.Getpid(), syscall.SIGSTOP)
}

// starter starts the program whose descriptor it inherits, as a payload, in the way that the command says.
func starter(cmd plat.Command) {
	program := os.NewFile(3, "program")
	sealed, err := plat.SealedMemory("payload", program, fileSize(program))
	if err != nil {
		fmt.Println(err)
		return
	}
	c := plat.PayloadConfinement(plat.FirstPayloadUser, plat.Dynamic(sealed))
	cmd.Path, cmd.File, cmd.Dir, cmd.Confinement = plat.ByDescriptor(sealed), sealed, "/", &c
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if _, err := plat.NewSpawner().Spawn(cmd); err != nil {
		fmt.Println(err)
		return
	}
	time.Sleep(time.Hour)
}

func fileSize(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// runs starts the test's own program as a payload, in a role.
func runs(t *testing.T, role string) (plat.Process, *bufio.Reader) {
	t.Helper()
	return runsBy(t, plat.NewSpawner(), role)
}

func runsBy(t *testing.T, spawner plat.Spawner, role string) (plat.Process, *bufio.Reader) {
	t.Helper()
	on(t, plat.MeasureCalls)
	sealed := ownProgram(t)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	out.SetReadDeadline(time.Now().Add(limit))
	c := plat.PayloadConfinement(plat.FirstPayloadUser, plat.Dynamic(sealed))
	c.SmallPages = role == smallRole
	p, err := spawner.Spawn(plat.Command{
		Path: plat.ByDescriptor(sealed), File: sealed, Argv: []string{role}, Env: []string{"ONLY=this"}, Dir: "/",
		Stdout: in, Stderr: in,
		DieWithParent: true, Confinement: &c,
	})
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill(); ended(t, p) })
	return p, bufio.NewReader(out)
}

func ownProgram(t *testing.T) *os.File {
	t.Helper()
	own, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	info, err := own.Stat()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := plat.SealedMemory("payload", own, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sealed.Close() })
	return sealed
}

func line(t *testing.T, out *bufio.Reader) string {
	t.Helper()
	text, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v after %q", err, text)
	}
	return strings.TrimSuffix(text, "\n")
}

// Nothing of the starter is inside the confinement of what it has started: a payload may signal what is in its domain,
// and what is of its user, and a signal that ends one thread ends the process.
func TestStarterStaysOutside(t *testing.T) {
	threads := func() map[string]string {
		states := map[string]string{}
		tasks, err := filepath.Glob("/proc/self/task/*/status")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			if status, err := os.ReadFile(task); err == nil {
				states[task] = strings.Join(confinementLines.FindAllString(string(status), -1), " ")
			}
		}
		return states
	}
	before := slices.Sorted(valuesOf(threads()))
	for range 8 {
		_, out := runs(t, "wait")
		line(t, out)
	}
	for task, state := range threads() {
		if !slices.Contains(before, state) {
			t.Errorf("%s is now\n%s\nand every thread was\n%s", task, state, before[0])
		}
	}
}

var confinementLines = regexp.MustCompile(`(?m)^(Uid|Gid|Groups|CapBnd|CapEff|NoNewPrivs|Seccomp):.*$`)

func valuesOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// What a payload does to leave its process group is without effect, and it is not told.
func TestNobodyLeavesItsGroup(t *testing.T) {
	p, out := runs(t, "leave")
	if got := line(t, out); got != "<nil> <nil> true" {
		t.Errorf("got %q", got)
	}
	line(t, out)
	p.Kill()
	if got := ended(t, p); got.Signal != 9 {
		t.Errorf("got %v", got)
	}
}

// A program takes all with it that it has started, wherever that has moved: when it ends by itself, and when it is
// killed.
func TestNothingOutlivesItsProgram(t *testing.T) {
	for _, role := range []string{"detach", "runner", "relay"} {
		t.Run(role, func(t *testing.T) {
			p, out := runs(t, role)
			if role == "runner" {
				line(t, out)
				line(t, out)
				p.Kill()
			}
			ended(t, p)
			if _, err := io.ReadAll(out); err != nil { // ends when the last holder of the pipe does
				t.Error(err)
			}
			gone(t, p)
		})
	}
}

func gone(t *testing.T, p plat.Process) {
	t.Helper()
	select {
	case <-p.Gone():
	case <-time.After(limit):
		t.Fatal("something of the process is left")
	}
}

// The stage hands on exactly the environment and the arguments of the program.
func TestStageAddsNothing(t *testing.T) {
	_, out := runs(t, "env")
	if got := line(t, out); got != "[ONLY=this] [env]" {
		t.Errorf("got %q", got)
	}
}

const smallRole = "small"

// The kernel gives huge pages to a program where the machine is set so, unless its confinement says otherwise.
func TestSmallPages(t *testing.T) {
	huge := regexp.MustCompile(`(?m)^THP_enabled:\s+(\d)$`)
	of := func(pid int) string {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		if found := huge.FindSubmatch(status); found != nil {
			return string(found[1])
		}
		t.Skip("the kernel does not tell whether a process gets huge pages")
		return ""
	}
	for role, want := range map[string]string{"wait": of(os.Getpid()), smallRole: "0"} {
		p, out := runs(t, role)
		line(t, out)
		if got := of(p.PID()); got != want {
			t.Errorf("%s: huge pages are %s, want %s", role, got, want)
		}
	}
}

// The parent of the program is its starter, whose end it does not outlive.
func TestProgramIsItsStartersChild(t *testing.T) {
	_, out := runs(t, "parent")
	if got := line(t, out); got != fmt.Sprint(os.Getpid()) {
		t.Errorf("its parent is %s and we are %d", got, os.Getpid())
	}
}

// A program ends with its starter, though it has become another user, which undoes the kernel's promise to end it.
func TestProgramDiesWithItsStarter(t *testing.T) {
	endsWithItsStarter(t, "starter", func(*testing.T, int) {})
}

// TestStoppedProgramGoesOn has a program that stopped find out that its starter has ended. The kernel continues what is
// stopped when nobody of its session is left to do so (setpgid(2), orphaned groups); here somebody is: this test, which
// adopts it.
func TestStoppedProgramGoesOn(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	var program int
	endsWithItsStarter(t, "waker", func(t *testing.T, starter int) { program = awaitStopped(t, starter) })
	if t.Failed() {
		unix.Kill(program, unix.SIGKILL)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(program, &status, 0, nil); err != nil || !status.Exited() {
		t.Errorf("it ended with %v, %v", status, err)
	}
}

// awaitStopped waits until the one child of a process is stopped, and returns it.
func awaitStopped(t *testing.T, starter int) int {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for deadline := time.After(limit); ; {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatal("the program does not stop")
		}
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", starter))
		for _, list := range lists {
			children, _ := os.ReadFile(list)
			child, err := strconv.Atoi(strings.TrimSpace(string(children)))
			if err != nil {
				continue
			}
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
			if strings.Contains(string(stat), ") T ") {
				return child
			}
		}
	}
}

// endsWithItsStarter kills the starter of a program that says `here`, and wants the program to end as well.
func endsWithItsStarter(t *testing.T, role string, once func(t *testing.T, starter int)) {
	t.Helper()
	own, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args, cmd.ExtraFiles = []string{role}, []*os.File{own}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	if got := line(t, out); got != "here" {
		t.Errorf("the program says %q", got)
	}
	once(t, cmd.Process.Pid)
	pipe.(*os.File).SetReadDeadline(time.Now().Add(limit))
	cmd.Process.Kill()
	if _, err := io.ReadAll(out); err != nil { // ends when the last holder of the pipe does
		t.Errorf("the program outlives its starter: %v", err)
	}
	cmd.Wait()
}

// The stage by itself does nothing.
func TestStageWantsAnOrder(t *testing.T) {
	for _, args := range [][]string{{}, {"x"}, {"-1"}, {"77"}, {"3", "4"}} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Args = append([]string{"nexus-confine"}, args...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() == 0 || strings.Contains(string(out), "panic") {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
}
