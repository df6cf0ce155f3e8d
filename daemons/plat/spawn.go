package plat

import (
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Command says what to start. The child gets exactly these files and this environment, and a process group of its
// own.
type Command struct {
	Path   string     // what to execute
	File   *os.File   // where Path leads to it by its descriptor: see ByDescriptor; else nil
	Argv   []string   // its argument vector, argv[0] included
	Env    []string   // its whole environment
	Dir    string     // its working directory
	Stdout *os.File   // its standard output; nil: /dev/null
	Stderr *os.File   // its standard error; nil: /dev/null
	Extra  []*os.File // its descriptors from 3 on
	Listen []string   // names of the first of Extra, of which it is told: see announce; only where it is confined
	Socket *os.File   // what each socket is that it makes, if its confinement is CallsBinder's; this process answers

	DieWithParent bool         // SIGKILL it when this process ends, however it ends
	GoOnWithout   bool         // SIGCONT it then instead: one that ends by itself does so even where it was stopped
	Confinement   *Confinement // what it may do; nil: what this process may
	Group         *Group       // the control group that it is to be in, where it is confined; nil: that of this process
}

// An Exit is how a process ended.
type Exit struct {
	Code   int // exit code, when Signal is 0
	Signal int // the signal that ended it, or 0
}

// OK reports whether the process ended by itself with code 0.
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
	Done() <-chan struct{} // closed when it has ended and was reaped, and what is left of its process group was killed
	Gone() <-chan struct{} // closed when nothing is left of its process group either
	Exit() Exit            // how it ended; valid after Done
	Terminate()            // SIGTERM to it and its process group; no effect once it has ended
	Kill()                 // SIGKILL to it and its process group; no effect once it has ended
}

// firstExtra is the first descriptor after the three standard ones.
const firstExtra = 3

// A Spawner starts processes.
type Spawner interface {
	Spawn(Command) (Process, error)
}

// A forker is the Spawner of the real machine. The kernel ties the signal of DieWithParent to the thread that forked
// (prctl(2), PR_SET_PDEATHSIG), so one thread, kept for ever, does all the forking.
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
	// Sweep kills every orphan there is, with its process group, and theirs: whatever this process has as a child and
	// did not start. It returns when none is left, or after a while in which one would not die.
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
	// Too large a file is an error to whoever writes it, not the end of this process. What it starts has the default.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGXFSZ)
	f := &forker{requests: make(chan forkRequest), reapAny: reapAny, children: map[int]*child{}}
	f.born = sync.NewCond(&f.mu)
	go f.serve()
	return f
}

// Spawn starts the command. One that is to be confined is started by way of the stage, which confines itself.
func (f *forker) Spawn(cmd Command) (Process, error) {
	start := f.fork
	if cmd.Confinement != nil {
		start = f.spawnConfined
	}
	c, err := start(cmd)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cmd.Argv[0], err)
	}
	return c, nil
}

// fork has the one thread fork.
func (f *forker) fork(cmd Command) (*child, error) {
	answer := make(chan forkAnswer, 1)
	f.requests <- forkRequest{cmd, answer}
	a := <-answer
	return a.child, a.err
}

// serve forks on one thread, as often as it is asked to.
func (f *forker) serve() {
	runtime.LockOSThread()
	for r := range f.requests {
		c, err := f.start(r.cmd)
		r.answer <- forkAnswer{c, err}
	}
}

// parentsEnd is the signal that the child gets when this process ends; 0: none.
func (cmd Command) parentsEnd() syscall.Signal {
	switch {
	case cmd.DieWithParent:
		return syscall.SIGKILL
	case cmd.GoOnWithout:
		return syscall.SIGCONT
	default:
		return 0
	}
}

// start forks on the calling thread.
func (f *forker) start(cmd Command) (*child, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	attr := &syscall.ProcAttr{
		Dir: cmd.Dir, Env: cmd.Env, Files: descriptors(cmd, null),
		Sys: &syscall.SysProcAttr{Setpgid: true},
	}
	attr.Sys.Pdeathsig = cmd.parentsEnd()
	f.mu.Lock()
	defer f.mu.Unlock()
	pid, err := syscall.ForkExec(cmd.Path, cmd.Argv, attr)
	runtime.KeepAlive(cmd)
	if err != nil {
		return nil, err
	}
	c := newChild(pid)
	f.children[pid] = c
	f.born.Broadcast()
	if !f.reapAny {
		go f.reapOne(c)
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
