package plat

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Command says what to start. The child gets exactly these files and this environment, and a process group of its own.
type Command struct {
	Path   string     // what to execute
	Argv   []string   // its argument vector, argv[0] included
	Env    []string   // its whole environment
	Dir    string     // its working directory
	Stdout *os.File   // its standard output; nil: /dev/null
	Stderr *os.File   // its standard error; nil: /dev/null
	Extra  []*os.File // its descriptors from 3 on

	DieWithParent bool         // SIGKILL it when this process ends, however it ends
	Confinement   *Confinement // what it may do; nil: what this process may
}

// An Exit is how a process ended.
type Exit struct {
	Code   int // exit code, when Signal is 0
	Signal int // the signal that ended it, or 0
}

// OK tells whether the process ended by itself with code 0.
func (e Exit) OK() bool { return e.Code == 0 && e.Signal == 0 }

func (e Exit) String() string {
	if e.Signal != 0 {
		return fmt.Sprintf("signal %d (%s)", e.Signal, syscall.Signal(e.Signal))
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// A Process is a started child.
type Process interface {
	PID() int
	Done() <-chan struct{} // closed when it has ended and was reaped
	Exit() Exit            // how it ended; valid after Done
	Terminate()            // SIGTERM to its process group; no effect once it has ended
	Kill()                 // SIGKILL to its process group; no effect once it has ended
}

// firstExtra is the first descriptor after the three standard ones.
const firstExtra = 3

// A Spawner starts processes.
type Spawner interface {
	Spawn(Command) (Process, error)
}

// A forker is the Spawner of the real machine. The kernel ties the signal of DieWithParent to the thread that forked (prctl(2),
// PR_SET_PDEATHSIG), so one thread, kept for ever, does all the forking. A process that is to be confined has a thread of its own, which
// is as confined as it and is kept as long as it lives.
type forker struct {
	requests chan forkRequest
	reapAny  bool

	mu       sync.Mutex
	children map[int]*child
	born     *sync.Cond // signalled when children grows
}

type forkRequest struct {
	cmd    Command
	answer chan forkAnswer
}

type forkAnswer struct {
	child *child
	err   error
}

// NewSpawner returns a Spawner whose processes are waited for one by one.
func NewSpawner() Spawner { return newForker(false) }

// A Reaper is a Spawner that also takes in the orphans of its children's children, wherever they moved, and reaps them.
type Reaper interface {
	Spawner
	// Sweep kills every orphan there is, and theirs: whatever this process has as a child and did not start. It returns when none is
	// left, or after a while in which one would not die.
	Sweep()
}

// NewReaper returns the Reaper of this process. A process may have only one, and no other way of waiting beside it.
func NewReaper() (Reaper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("cannot become reaper: %w", err)
	}
	f := newForker(true)
	go f.reap()
	return f, nil
}

func newForker(reapAny bool) *forker {
	// What this process was itself started with is not for its children.
	unix.CloseRange(firstExtra, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	f := &forker{requests: make(chan forkRequest), reapAny: reapAny, children: map[int]*child{}}
	f.born = sync.NewCond(&f.mu)
	go f.fork()
	return f
}

// Spawn starts the command.
func (f *forker) Spawn(cmd Command) (Process, error) {
	answer := make(chan forkAnswer, 1)
	if cmd.Confinement != nil {
		onOwnThread(func() { f.forkConfined(cmd, answer) })
	} else {
		f.requests <- forkRequest{cmd, answer}
	}
	a := <-answer
	if a.err != nil {
		return nil, a.err
	}
	return a.child, nil
}

// onOwnThread has f called on a thread that no other code runs on, then or later. It is not the first one of the process: the kernel takes
// that one for who the process is, and Go never ends it.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return // still locked: the thread ends with the goroutine
		}
		elsewhere := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(elsewhere)
			f()
		}()
		<-elsewhere // not on this thread, for it is held here until then
		runtime.UnlockOSThread()
	}()
}

// fork serves requests on one thread.
func (f *forker) fork() {
	runtime.LockOSThread()
	for r := range f.requests {
		c, err := f.startFree(r.cmd)
		r.answer <- forkAnswer{c, err}
	}
}

func (f *forker) startFree(cmd Command) (*child, error) {
	null, err := openNull(cmd)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	return f.start(cmd, null)
}

// forkConfined puts a confinement on a thread of its own and forks there: the child is confined from its first instruction on, and no code
// but this package's had to be trusted with it. The thread is kept as long as the child lives.
func (f *forker) forkConfined(cmd Command, answer chan<- forkAnswer) {
	c, err := f.startConfined(cmd)
	answer <- forkAnswer{c, err}
	if err == nil {
		<-c.done
	}
}

func (f *forker) startConfined(cmd Command) (*child, error) {
	null, err := openNull(cmd)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	k := look()
	if err := cmd.Confinement.enter(k); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cmd.Argv[0], err)
	}
	c, err := f.start(cmd, null)
	if err != nil {
		return nil, err
	}
	c.measures = k.measures(*cmd.Confinement)
	if err := cmd.Confinement.limit(k, c.pid); err != nil {
		c.Kill()
		return nil, fmt.Errorf("cannot start %s: %w", cmd.Argv[0], err)
	}
	return c, nil
}

func openNull(cmd Command) (*os.File, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cmd.Argv[0], err)
	}
	return null, nil
}

// start forks on the calling thread.
func (f *forker) start(cmd Command, null *os.File) (*child, error) {
	attr := &syscall.ProcAttr{
		Dir: cmd.Dir, Env: cmd.Env, Files: descriptors(cmd, null),
		Sys: &syscall.SysProcAttr{Setpgid: true},
	}
	if cmd.DieWithParent {
		attr.Sys.Pdeathsig = syscall.SIGKILL
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	pid, err := syscall.ForkExec(cmd.Path, cmd.Argv, attr)
	runtime.KeepAlive(cmd)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cmd.Argv[0], err)
	}
	c := &child{pid: pid, done: make(chan struct{})}
	f.children[pid] = c
	f.born.Broadcast()
	if !f.reapAny {
		go f.wait(c)
	}
	return c, nil
}

func descriptors(cmd Command, null *os.File) []uintptr {
	files := []uintptr{null.Fd(), null.Fd(), null.Fd()}
	if cmd.Stdout != nil {
		files[1] = cmd.Stdout.Fd()
	}
	if cmd.Stderr != nil {
		files[2] = cmd.Stderr.Fd()
	}
	for _, f := range cmd.Extra {
		files = append(files, f.Fd())
	}
	return files
}

// wait reaps one child.
func (f *forker) wait(c *child) {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(c.pid, &status, 0, nil)
		if err != unix.EINTR {
			break
		}
	}
	f.ended(c.pid, status)
}

// reap reaps every child, its own and inherited ones, for ever.
func (f *forker) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch err {
		case nil:
			f.ended(pid, status)
		case unix.ECHILD:
			f.awaitChild()
		}
	}
}

// awaitChild blocks until there is a child to wait for.
func (f *forker) awaitChild() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.children) == 0 {
		f.born.Wait()
	}
}

func (f *forker) ended(pid int, status unix.WaitStatus) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.children[pid]
	if c == nil {
		return // an orphan that was taken in
	}
	delete(f.children, pid)
	unix.Kill(-pid, unix.SIGKILL) // what it left in its process group goes with it
	c.mu.Lock()
	if status.Signaled() {
		c.exit.Signal = int(status.Signal())
	} else {
		c.exit.Code = status.ExitStatus()
	}
	c.mu.Unlock()
	close(c.done)
}

// A child is a process of a forker.
type child struct {
	pid  int
	done chan struct{}
	mu   sync.Mutex
	exit Exit

	measures []Measure // what confines it; none for one that may do what its starter may
}

// Measures tells what confines it.
func (c *child) Measures() []Measure { return c.measures }

func (c *child) PID() int              { return c.pid }
func (c *child) Done() <-chan struct{} { return c.done }

func (c *child) Exit() Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exit
}

func (c *child) Terminate() { c.signal(unix.SIGTERM) }
func (c *child) Kill()      { c.signal(unix.SIGKILL) }

func (c *child) signal(number unix.Signal) {
	select {
	case <-c.done:
	default:
		unix.Kill(-c.pid, number)
	}
}
