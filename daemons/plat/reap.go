package plat

import (
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reapOne waits for one child.
func (f *forker) reapOne(c *child) {
	if _, err := awaitEnd(unix.P_PID, c.pid); err == nil {
		f.reapEnded(c.pid)
	}
}

// reap reaps every child, its own and adopted ones, and never returns.
func (f *forker) reap() {
	for {
		switch pid, err := awaitEnd(unix.P_ALL, 0); err {
		case nil:
			f.reapEnded(pid)
		case unix.ECHILD:
			f.awaitChild()
		}
	}
}

// awaitEnd waits until a child has ended, without reaping it.
func awaitEnd(kind, id int) (pid int, err error) {
	// siginfo_t as waitid(2) fills it in: si_pid follows three integers and padding.
	var info struct {
		_   [16]byte
		pid int32
		_   [108]byte
	}
	for {
		err = unix.Waitid(kind, id, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return int(info.pid), err
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

// reapEnded reaps a child that has ended. It first kills what is left in the process group of a child that this process
// started, while the number of the group cannot be reused.
func (f *forker) reapEnded(pid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.children[pid]
	if c != nil {
		unix.Kill(-pid, unix.SIGKILL)
	}
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if c == nil {
		return // an adopted orphan
	}
	delete(f.children, pid)
	c.ended(status)
}

// A child is a process of a forker.
type child struct {
	pid  int
	done chan struct{}
	gone chan struct{}
	mu   sync.Mutex
	over bool // it was reaped, and its number may be reused
	exit Exit

	measures []Measure // none for an unconfined process
}

func newChild(pid int) *child {
	return &child{pid: pid, done: make(chan struct{}), gone: make(chan struct{})}
}

// Measures returns what confines it.
func (c *child) Measures() []Measure { return c.measures }

func (c *child) PID() int              { return c.pid }
func (c *child) Done() <-chan struct{} { return c.done }
func (c *child) Gone() <-chan struct{} { return c.gone }

func (c *child) Exit() Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exit
}

func (c *child) Terminate() { c.signal(unix.SIGTERM) }
func (c *child) Kill()      { c.signal(unix.SIGKILL) }

// signal signals the group of the child, and the child itself if it has moved to another group.
func (c *child) signal(number unix.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	unix.Kill(-c.pid, number)
	if group, err := unix.Getpgid(c.pid); err != nil || group != c.pid {
		unix.Kill(c.pid, number)
	}
}

func (c *child) ended(status unix.WaitStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if status.Signaled() {
		c.exit.Signal = int(status.Signal())
	} else {
		c.exit.Code = status.ExitStatus()
	}
	close(c.done)
	if c.groupEmpty() {
		close(c.gone)
		return
	}
	go c.awaitGone()
}

// goneEvery is the interval at which a killed group is checked.
const goneEvery = 5 * time.Millisecond

// awaitGone waits until the group is empty: a killed process ends soon, unless it is stuck in the kernel.
func (c *child) awaitGone() {
	look := time.NewTicker(goneEvery)
	defer look.Stop()
	for !c.groupEmpty() {
		<-look.C
	}
	close(c.gone)
}

func (c *child) groupEmpty() bool { return unix.Kill(-c.pid, 0) == unix.ESRCH }
