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

// An Owner decides what daemons get and what becomes of the system. It is called with no lock held.
type Owner interface {
	// Endow gives a new instance of a daemon all that it is to have. One for which that fails is killed, and gets it
	// with its next instance.
	Endow(daemon string, channel *vat.Parent) error

	// LinkEnded takes a daemon's word that a link which it uses has ended.
	LinkEnded(daemon string, ended vat.Ended)

	// Died says that an instance of a daemon has ended.
	Died(daemon string)

	// Over says that a daemon will not be started again though nobody stopped it, and why.
	Over(daemon string, exit plat.Exit, why string)
}

// A Spec is a daemon to run.
type Spec struct {
	Name string
	Once bool // it is over when it has ended, however it did
}

// A Config is how daemons are to be kept running.
type Config struct {
	Owner    Owner
	Launcher Launcher
	Host     plat.Host
	Log      *logclient.Log
	Stderr   io.Writer     // gets what daemons write on their standard error
	Changed  *vat.Notifier // is notified when a daemon gets ready or ends
	Hang     time.Duration // how long a daemon may not answer; 0: for ever
	Backoff  plat.Backoff  // pauses before one is started again
	Patient  bool          // one that never gets ready is started again and again

	Stopping func(daemon string) // is called before a daemon is stopped; nil: nobody asks
}

// A Supervisor keeps daemons running.
type Supervisor struct {
	Config

	mu       sync.Mutex
	children []*child // in start order
}

// New returns the supervisor of no daemon yet.
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

// Stop stops the daemons one by one, the last started first, so that each still has what it was built on. It calls
// beforeFirst when only the first that was started is left.
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

// A Status is how a daemon is.
type Status struct {
	Name     string
	PID      int // 0: it does not run
	Ready    bool
	Restarts uint32
	LastExit string
	Measures []plat.Measure // what confines its process
}

// Statuses are how the daemons are, in start order.
func (s *Supervisor) Statuses() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	statuses := make([]Status, len(s.children))
	for i, c := range s.children {
		statuses[i] = c.status()
	}
	return statuses
}

// Channel is the endowment channel of a daemon; nil while it does not run.
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

// Renew has a daemon end and start again, with what it may do by then.
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

// Turns reports whether the loop of every daemon has come round before it was too late.
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
