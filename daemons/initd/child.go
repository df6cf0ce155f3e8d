package initd

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// How fast a dead daemon comes back: after a pause that doubles, and starts small again after it has lived for a while.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 5 * time.Second
	goodLife   = 10 * time.Second
)

// stopPatience is how long a daemon may take to stop by itself.
const stopPatience = 3 * time.Second

// exitFatal is the exit code by which a daemon says that starting it again cannot help: what it was given to start with
// is refused.
const exitFatal = 78

// A child is one daemon as initd sees it. The system's lock guards it.
type child struct {
	row      Daemon
	process  plat.Process
	parent   *vat.Parent // nil while it is dead
	ready    bool
	settled  bool   // it was ready once
	failures int    // lives that ended by themselves before it was ready, until it was
	fault    string // why the first of those ended
	endowed  error  // why this life was not given all that its row grants; nil: it was
	restarts uint32
	lastExit string
	words    chan words    // what it wrote on its standard error, once that has ended; nil: this life has none
	turn     chan struct{} // its loop takes one whenever it comes round: see petWatchdog
	gone     chan struct{} // closed when it will not be started again
}

func (c *child) pid() int {
	if c.parent == nil {
		return 0
	}
	return c.process.PID()
}

// measures are what confines its process; none while it is dead.
func (c *child) measures() []plat.Measure {
	if process, ok := c.process.(plat.Measured); ok && c.parent != nil {
		return process.Measures()
	}
	return nil
}

// keepAlive runs one daemon until the system stops: starts it, waits for its end, starts it again.
func (s *system) keepAlive(ctx context.Context, c *child) {
	defer close(c.gone)
	pause := firstPause
	for {
		began := s.host.Clock.Now()
		exit, err := s.live(ctx, c)
		if s.ended(ctx, c, exit, err) {
			return
		}
		if s.host.Clock.Now().Sub(began) > goodLife {
			pause = firstPause
		}
		if !s.rest(ctx, c, pause) {
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// rest waits before the next life, and tells whether there is to be one.
func (s *system) rest(ctx context.Context, c *child, pause time.Duration) bool {
	over := s.host.Clock.After(pause)
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

// live is one life of a daemon, from start to end. Once ctx is done the daemon is asked to stop and, if it does not,
// killed.
func (s *system) live(ctx context.Context, c *child) (plat.Exit, error) {
	c.words, c.endowed = nil, nil
	process, parent, err := s.launch(c)
	if err != nil {
		return plat.Exit{}, err
	}
	defer parent.Close()
	ready := parent.Ready()
	dog := newWatchdog(s.host.Clock, s.config.Policy.Hang)
	for {
		select {
		case <-c.turn:
		case <-parent.Alive():
			dog.answered()
		case <-dog.due:
			if dog.hung() {
				return s.giveUp(c, process, errHung), errHung
			}
			parent.Ping()
		case <-parent.Stuffed():
			return s.giveUp(c, process, errStuffed), errStuffed
		case <-ready:
			ready = nil
			s.setReady(c)
		case ended := <-parent.Ended():
			s.links.Ended(c.row.Name, ended)
		case <-process.Done():
			return process.Exit(), c.endowed
		case <-ctx.Done():
			parent.Close()
			return s.awaitEnd(process), nil
		}
	}
}

// giveUp ends a life that is of no use any more.
func (s *system) giveUp(c *child, process plat.Process, why error) plat.Exit {
	s.log.Warn("killing daemon", "daemon", c.row.Name, "pid", process.PID(), "reason", why)
	process.Kill()
	<-process.Done()
	return process.Exit()
}

func (s *system) awaitEnd(process plat.Process) plat.Exit {
	select {
	case <-process.Done():
	case <-s.host.Clock.After(stopPatience):
		s.log.Warn("daemon does not stop, killing it", "pid", process.PID())
		process.Kill()
		<-process.Done()
	}
	return process.Exit()
}

// launch starts the daemon's process and hands it all that its row grants.
func (s *system) launch(c *child) (plat.Process, *vat.Parent, error) {
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
	process, err := s.launcher.Launch(c.row.Name, theirs, stderr)
	if err != nil {
		channel.Close()
		says.Close()
		return nil, nil, err
	}
	c.words = make(chan words, 1)
	go s.relay(c.row.Name, says, c.words)
	parent := vat.NewParent(channel)
	s.endow(c, process, parent)
	return process, parent, nil
}

// ended records how a life ended and tells whether it was the last one.
func (s *system) ended(ctx context.Context, c *child, exit plat.Exit, err error) bool {
	s.mu.Lock()
	c.parent, c.ready = nil, false
	c.lastExit = exit.String()
	if err != nil {
		c.lastExit = err.Error()
	}
	s.mu.Unlock()
	s.links.Died(c.row.Name)
	s.changed.Notify()
	s.host.Spawner.Sweep() // what execd's services left behind when it died under them
	switch {
	case ctx.Err() != nil:
		return true
	case c.row.Name == selftestName:
		s.selftestEnded(exit)
		return true
	case exit.Code == exitFatal && exit.Signal == 0:
		s.stop(outcome{failed: true, why: s.lastWord(c)})
		return true
	}
	said := s.wordsOf(c)
	s.mu.Lock()
	c.restarts++
	hopeless := c.failed(exit, err, said.why())
	s.mu.Unlock()
	s.log.Crash(c.row.Name, c.lastExit, said.report)
	if hopeless && !s.onTrial() {
		why := fmt.Sprintf("%s cannot start, %d times in a row: %s", c.row.Name, c.failures, c.fault)
		s.stop(outcome{failed: true, why: why})
		return true
	}
	return false
}

// maxFailures is how often a daemon may fail to start. The pauses in between make it some seconds: what passes has
// passed by then.
const maxFailures = 8

// failed counts a life that ended before the daemon was ready for the first time, and tells whether another one is of
// no use: a system whose daemon never starts does nothing, and would do so without a word. One that was killed from
// outside says nothing about the next. The system's lock is held.
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

// killed tells whether somebody ended a process by a signal, rather than the kernel for what it did.
func killed(exit plat.Exit) bool {
	switch syscall.Signal(exit.Signal) {
	case syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT:
		return true
	}
	return false
}

// onTrial tells whether the daemons are of a core that has to prove itself: what does not start is for the health of
// its attempt then.
func (s *system) onTrial() bool { return !s.config.Handed.Core.IsZero() }

func (s *system) setReady(c *child) {
	s.mu.Lock()
	c.ready, c.settled = true, true
	s.mu.Unlock()
	s.changed.Notify()
}
