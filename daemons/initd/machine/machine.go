package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/bootctl"
)

// Lines by which the console says once what a machine cannot give.
const (
	LineNoWatchdog = "init: no watchdog: "
	LineNoMark     = "init: why a boot begins cannot be told: "
)

// A Machine is what only the first process of one has: the watchdog that restarts it when it hangs, and a page of
// memory that survives that.
type Machine struct {
	watchdog dog    // nil: there is none
	missing  string // then: why
	taken    bool   // the core before has armed it
	dogs     dogs
	timeout  time.Duration // of the watchdog, as it was asked for
	known    verdicts
	memory   memory // nil: there is none
	clock    plat.Clock
	cause    bootctl.Cause // why the boot began, by what the machine shows

	mu    sync.Mutex
	mark  mark
	count uint64 // of the mark that was written last
	ended bool   // in order
}

// A dog is a watchdog: see plat.Watchdog.
type dog interface {
	Name() string
	Timeout() time.Duration
	Barked() bool
	File() *os.File
	Pet() error
	Disarm() error
}

// Open arms the watchdog, or takes up the one that the core before has left open, and tells why the boot began. The
// mark is at a physical address; 0: there is none.
func Open(timeout time.Duration, markAt uint64, handed *Handed, console io.Writer) (*Machine, bootctl.Cause) {
	m := &Machine{clock: plat.RealClock{}, dogs: machineDogs(), timeout: timeout}
	if err := m.guard(handed.Take(HandedWatchdog)); err != nil {
		m.missing = err.Error()
		fmt.Fprintf(console, "%s%v\n", LineNoWatchdog, err)
	}
	if markAt != 0 {
		if window, err := plat.OpenWindow(markAt); err != nil {
			fmt.Fprintf(console, "%s%v\n", LineNoMark, err)
		} else {
			m.memory = window
		}
	}
	uptime, err := plat.Uptime()
	if err != nil {
		fmt.Fprintf(console, "%s%v\n", LineNoMark, err)
	}
	m.cause = m.begin(m.watchdog != nil && m.watchdog.Barked(), uptime)
	if handed.Given() {
		return m, bootctl.Unknown // it is the same boot
	}
	return m, m.cause
}

// guard arms a watchdog, or takes up the one that is.
func (m *Machine) guard(taken *os.File) (err error) {
	switch {
	case taken != nil:
		m.taken = true
		var watchdog *plat.Watchdog
		if watchdog, err = plat.TakeWatchdog(taken, m.timeout); err == nil {
			m.watchdog = watchdog
		}
	case m.timeout == 0:
		err = errors.New("it was not asked for")
	default:
		m.watchdog, err = m.dogs.arm(nil, m.timeout)
	}
	return err
}

// begin reads the mark of the boot before and leaves the first one of this.
func (m *Machine) begin(barked bool, uptime time.Duration) bootctl.Cause {
	m.mu.Lock()
	defer m.mu.Unlock()
	cause := bootctl.Unknown
	if m.memory != nil {
		before, count := readMark(m.memory)
		cause = before.cause(count > 0, m.clock.Now().Add(-uptime))
		m.count = count
	}
	if barked {
		cause = bootctl.Watchdog
	}
	m.leave(markRuns, m.clock.Now())
	return cause
}

// leave leaves a mark. It needs the lock.
func (m *Machine) leave(state markState, petted time.Time) {
	m.mark = mark{state: state, petted: petted}
	if m.watchdog != nil {
		m.mark.timeout = m.watchdog.Timeout()
	}
	if m.memory != nil {
		m.count++
		writeMark(m.memory, m.mark, m.count)
	}
}

// Pet says that the system makes progress.
func (m *Machine) Pet() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return nil
	}
	m.leave(markRuns, m.clock.Now())
	if m.watchdog == nil {
		return nil
	}
	return m.watchdog.Pet()
}

// witness looks, until ctx ends, whether the system still pets its watchdog, and leaves a mark when it does not: when
// the reset comes it will be known for what it was.
func (m *Machine) witness(ctx context.Context) {
	for {
		select {
		case <-m.clock.After(m.petEvery()):
		case <-ctx.Done():
			return
		}
		m.look()
	}
}

func (m *Machine) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.mark
	if !m.ended && last.state == markRuns && m.clock.Now().Sub(last.petted) > last.timeout/2 {
		m.leave(markHangs, last.petted)
	}
}

// petEvery is how often the watchdog is petted: so often that one time may be missed.
func (m *Machine) petEvery() time.Duration { return m.watchdog.Timeout() / 4 }

// End is the orderly end: the watchdog is disarmed, and no mark is left but that the machine is to begin anew. What
// pets it may still run, and leaves none from here on.
func (m *Machine) End(again bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	if m.memory != nil {
		wipeMark(m.memory)
		if again {
			m.leave(markEnds, m.clock.Now())
		}
	}
	if m.watchdog == nil {
		return nil
	}
	return m.watchdog.Disarm()
}

// A WatchdogStatus is what there is for a watchdog.
type WatchdogStatus struct {
	On      bool
	Name    string
	Timeout time.Duration
	Proven  bool   // it was seen to restart the machine
	Missing string // why there is none
}

// Watchdog says what there is for a watchdog.
func (m *Machine) Watchdog() WatchdogStatus {
	if m.watchdog == nil {
		return WatchdogStatus{Missing: m.missing}
	}
	name := m.watchdog.Name()
	return WatchdogStatus{On: true, Name: name, Timeout: m.watchdog.Timeout(), Proven: m.known[name] == works}
}

// Leave returns the watchdog's device, which the next core takes up; nil: there is none.
func (m *Machine) Leave() *os.File {
	if m.watchdog == nil {
		return nil
	}
	return m.watchdog.File()
}
