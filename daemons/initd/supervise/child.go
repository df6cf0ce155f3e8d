package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// stopPatience is how long a daemon may take to stop.
const stopPatience = 3 * time.Second

// exitFatal is the exit code of a daemon that cannot start with what it was given, so that a restart would not help.
const exitFatal = 78

// A child is one daemon as its supervisor sees it.
type child struct {
	Config
	spec Spec
	stop context.CancelFunc
	turn chan struct{} // its loop receives from this whenever it comes round: see Turns
	gone chan struct{} // closed when it will not be started again
	// holds one while an instance is to end so that another starts: see Renew
	renew chan struct{}

	// Used only by its loop.
	settled  bool       // it was ready once
	failures int        // instances that ended before the daemon was ready for the first time
	fault    string     // why the first of those ended
	endowed  error      // why this instance lacks something that it is granted; nil: it has everything
	words    chan words // what it wrote to standard error, once that is closed; nil: this instance has none

	mu       *sync.Mutex // the supervisor's; guards these
	process  plat.Process
	parent   *vat.Parent // nil while it does not run
	ready    bool
	restarts uint32
	lastExit string
}

func newChild(s *Supervisor, spec Spec, stop context.CancelFunc) *child {
	return &child{
		Config: s.Config, mu: &s.mu, spec: spec, stop: stop,
		turn: make(chan struct{}), gone: make(chan struct{}), renew: make(chan struct{}, 1),
	}
}

// status needs the lock.
func (c *child) status() Status {
	s := Status{Name: c.spec.Name, Ready: c.ready, Restarts: c.restarts, LastExit: c.lastExit}
	if c.parent == nil {
		return s
	}
	s.PID = c.process.PID()
	if process, ok := c.process.(plat.Measured); ok {
		s.Measures = process.Measures()
	}
	return s
}

// keepAlive runs one daemon until the system stops, and restarts it whenever it ends.
func (c *child) keepAlive(ctx context.Context) {
	defer close(c.gone)
	var pause time.Duration
	for {
		began := c.Host.Clock.Now()
		exit, err := c.live(ctx)
		if c.ended(ctx, exit, err, c.Host.Clock.Now().Sub(began)) {
			return
		}
		pause = c.Backoff.Next(pause, c.Host.Clock.Now().Sub(began))
		if !c.rest(ctx, pause) {
			return
		}
	}
}

// rest pauses before the next instance, and reports whether there is to be one.
func (c *child) rest(ctx context.Context, pause time.Duration) bool {
	over := c.Host.Clock.After(pause)
	for {
		select {
		case <-c.turn:
		case <-over:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// live runs one instance of a daemon. Once ctx is done, the daemon is told to stop and, if it does not, killed.
func (c *child) live(ctx context.Context) (plat.Exit, error) {
	c.words, c.endowed = nil, nil
	select {
	case <-c.renew: // the next instance is a new one in any case
	default:
	}
	process, parent, err := c.launch()
	if err != nil {
		return plat.Exit{}, err
	}
	defer parent.Close()
	ready := parent.Ready()
	dog := newWatchdog(c.Host.Clock, c.Hang)
	for {
		select {
		case <-c.turn:
		case <-parent.Alive():
			dog.answered()
		case <-dog.due:
			if dog.hung() {
				return c.giveUp(process, errHung), errHung
			}
			parent.Ping()
		case <-parent.Overflowed():
			return c.giveUp(process, errUnread), errUnread
		case <-ready:
			ready = nil
			c.setReady()
		case ended := <-parent.Ended():
			c.Owner.LinkEnded(c.spec.Name, ended)
		case <-process.Done():
			return process.Exit(), c.endowed
		case <-c.renew:
			parent.Close()
			return c.awaitEnd(process), errRenewed
		case <-ctx.Done():
			parent.Close()
			return c.awaitEnd(process), nil
		}
	}
}

// errRenewed ends an instance that Renew replaces.
var errRenewed = errors.New("it is started again, with what it may do now")

// giveUp kills an instance that is of no more use.
func (c *child) giveUp(process plat.Process, why error) plat.Exit {
	c.Log.Warn("killing daemon", "daemon", c.spec.Name, "pid", process.PID(), "reason", why)
	process.Kill()
	<-process.Done()
	return process.Exit()
}

func (c *child) awaitEnd(process plat.Process) plat.Exit {
	select {
	case <-process.Done():
	case <-c.Host.Clock.After(stopPatience):
		c.Log.Warn("daemon does not stop, killing it", "daemon", c.spec.Name, "pid", process.PID())
		process.Kill()
		<-process.Done()
	}
	return process.Exit()
}

// launch starts the daemon's process and has its endowments granted.
func (c *child) launch() (plat.Process, *vat.Parent, error) {
	ours, theirs, err := plat.PacketPair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	channel, err := vat.ChannelOf(ours)
	if err != nil {
		return nil, nil, err
	}
	says, stderr, err := os.Pipe()
	if err != nil {
		channel.Close()
		return nil, nil, err
	}
	defer stderr.Close()
	process, err := c.Launcher.Launch(c.spec.Name, theirs, stderr)
	if err != nil {
		channel.Close()
		says.Close()
		return nil, nil, err
	}
	c.words = make(chan words, 1)
	go c.relay(says, c.words)
	parent := vat.NewParent(channel)
	c.mu.Lock()
	c.process, c.parent = process, parent
	c.mu.Unlock()
	if err := c.Owner.Endow(c.spec.Name, parent); err != nil {
		// It would lack something that it is granted. The next instance gets everything.
		c.Log.Warn("cannot endow daemon", "daemon", c.spec.Name, "error", err)
		first, _, _ := strings.Cut(err.Error(), "\n")
		c.endowed = errors.New(first)
		process.Kill()
	}
	return process, parent, nil
}

// ended records how an instance ended and reports whether it was the last one.
func (c *child) ended(ctx context.Context, exit plat.Exit, err error, uptime time.Duration) bool {
	c.setEnded(exit, err)
	switch {
	case ctx.Err() != nil:
		return true
	case c.spec.Once:
		c.Owner.Over(c.spec.Name, exit, exit.String())
		return true
	case exit.Code == exitFatal && exit.Signal == 0:
		c.Owner.Over(c.spec.Name, exit, c.lastWord())
		return true
	}
	if err == errRenewed {
		return false
	}
	said := c.wordsOf()
	c.mu.Lock()
	c.restarts++
	c.mu.Unlock()
	hopeless := c.failed(exit, err, said.why())
	c.Log.Crash(said.crash(c.report(exit, uptime)))
	if hopeless && !c.Patient {
		why := fmt.Sprintf("%s cannot start, %d times in a row: %s", c.spec.Name, c.failures, c.fault)
		c.Owner.Over(c.spec.Name, exit, why)
		return true
	}
	return false
}

// report begins the crash report of an instance.
func (c *child) report(exit plat.Exit, uptime time.Duration) logclient.Crash {
	var crash logclient.Crash
	if c.About != nil {
		crash = c.About()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	crash.Process, crash.Exit, crash.Code, crash.Signal = c.spec.Name, c.lastExit, exit.Code, exit.Signal
	crash.Uptime, crash.Restarts = uptime, c.restarts-1 // this end has been counted
	return crash
}

func (c *child) setEnded(exit plat.Exit, err error) {
	c.mu.Lock()
	c.parent, c.ready = nil, false
	c.lastExit = exit.String()
	if err != nil {
		c.lastExit = err.Error()
	}
	c.mu.Unlock()
	c.Owner.Died(c.spec.Name)
	c.Changed.Notify()
	c.Host.Spawner.Sweep() // processes that execd's services left when execd died
}

// maxFailures is how often a daemon may fail to start. With the pauses in between that takes some seconds, enough for a
// temporary cause to go away.
const maxFailures = 8

// failed counts an instance that ended before the daemon was ready for the first time, and reports whether to give up:
// a system with a daemon that never starts would do nothing, silently. An instance that was killed from outside does
// not count.
func (c *child) failed(exit plat.Exit, err error, why string) bool {
	if c.settled || err == nil && killed(exit) {
		return false
	}
	if c.failures++; c.failures == 1 {
		if c.fault = c.lastExit; err == nil && why != "" {
			c.fault = why
		}
	}
	return c.failures >= maxFailures
}

// killed reports whether a process was killed by somebody's signal, rather than by the kernel for a fault.
func killed(exit plat.Exit) bool {
	switch syscall.Signal(exit.Signal) {
	case syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT:
		return true
	}
	return false
}

func (c *child) setReady() {
	c.settled = true
	c.mu.Lock()
	c.ready = true
	c.mu.Unlock()
	c.Changed.Notify()
}
