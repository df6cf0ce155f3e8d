package supervise

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// An Owner decides what daemons get, and what happens to the system. It is called without any lock held.
type Owner interface {
	// Endow grants a new instance of a daemon all that it is to have. If that fails, the instance is killed, and the
	// next one gets it.
	Endow(daemon string, channel *vat.Parent) error

	// LinkEnded handles a daemon's report that a link which it uses has ended.
	LinkEnded(daemon string, ended vat.Ended)

	// Died is called when an instance of a daemon has ended.
	Died(daemon string)

	// Over is called when a daemon will not be restarted although nobody stopped it, with the reason.
	Over(daemon string, exit plat.Exit, why string)
}

// A Spec is a daemon to run.
type Spec struct {
	Name string
	Once bool // it is not restarted, however it ended
}

// A Config says how to keep daemons running.
type Config struct {
	Owner    Owner
	Launcher Launcher
	Host     plat.Host
	Log      *logclient.Log
	Stderr   io.Writer     // gets what daemons write to standard error
	Changed  *vat.Notifier // notified when a daemon becomes ready or ends
	Hang     time.Duration // how long a daemon may leave pings unanswered; 0: forever
	Backoff  plat.Backoff  // pauses before a restart
	Patient  bool          // keep restarting a daemon that never becomes ready

	About    func() logclient.Crash // the version, slot and set of a crash report; nil: not known
	Stopping func(daemon string)    // called before a daemon is stopped; may be nil
}

// A Supervisor keeps daemons running.
type Supervisor struct {
	Config

	mu       sync.Mutex
	children []*child // in start order
}

// New returns a supervisor without daemons.
func New(c Config) *Supervisor { return &Supervisor{Config: c} }

// Start runs a daemon until Stop, or until ctx ends.
func (s *Supervisor) Start(ctx context.Context, spec Spec) {
	ctx, stop := context.WithCancel(ctx)
	c := newChild(s, spec, stop)
	s.mu.Lock()
	s.children = append(s.children, c)
	s.mu.Unlock()
	go c.keepAlive(ctx)
}

// Stop stops the daemons one by one in reverse order of their start, so that each still has what it depends on. It
// calls beforeFirst when only the first one is left.
func (s *Supervisor) Stop(beforeFirst func()) {
	for i, c := range slices.Backward(s.all()) {
		if i == 0 {
			beforeFirst()
		}
		if s.Stopping != nil {
			s.Stopping(c.spec.Name)
		}
		c.stop()
		<-c.gone
	}
	s.Host.Spawner.Sweep()
}

// A Status is the state of a daemon.
type Status struct {
	Name     string
	PID      int // 0: it does not run
	Ready    bool
	Restarts uint32
	LastExit string
	Measures []plat.Measure // the confinement of its process
}

// Statuses returns the state of the daemons, in start order.
func (s *Supervisor) Statuses() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	statuses := make([]Status, len(s.children))
	for i, c := range s.children {
		statuses[i] = c.status()
	}
	return statuses
}

// Channel returns the endowment channel of a daemon; nil while it does not run.
func (s *Supervisor) Channel(daemon string) *vat.Parent {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.children {
		if c.spec.Name == daemon {
			return c.parent
		}
	}
	return nil
}

// Renew ends a daemon and starts it again, with what it may do by then.
func (s *Supervisor) Renew(daemon string) {
	for _, c := range s.all() {
		if c.spec.Name == daemon {
			select {
			case c.renew <- struct{}{}:
			default: // it is about to be anyway
			}
		}
	}
}

// Turns reports whether the loop of every daemon comes round before late fires.
func (s *Supervisor) Turns(ctx context.Context, late <-chan time.Time) bool {
	for _, c := range s.all() {
		select {
		case c.turn <- struct{}{}:
		case <-c.gone:
		case <-late:
			s.Log.Warn("the first process makes no progress", "waits_for", c.spec.Name)
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (s *Supervisor) all() []*child {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.children)
}
