package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/libupdates/bootctl"
)

// Lines that say what a machine lacks, once.
const (
	LineNoWatchdog = "init: no watchdog: "
	LineNoMark     = "init: why a boot begins cannot be told: "
)

// A Machine has what only the first process of a machine has: the watchdog that resets it when it hangs, and a page of
// memory that survives the reset.
type Machine struct {
	watchdog dog    // nil: there is none
	missing  string // then: why
	taken    bool   // the previous core armed it
	dogs     dogs
	timeout  time.Duration // of the watchdog, as configured
	known    verdicts
	memory   memory // nil: there is none
	clock    plat.Clock
	cause    bootctl.Cause // why the boot began, as far as the machine shows

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

// Open arms the watchdog, or takes over that of the previous core, and returns why the boot began. The mark is at a
// physical address; 0: there is none.
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

// guard arms a watchdog, or takes over the armed one.
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

// begin reads the mark of the previous boot, and writes the first one of this boot.
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

// leave writes a mark. The lock is held.
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

// Pet pets the watchdog, because the system makes progress.
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

// witness checks, until ctx ends, whether the system still pets its watchdog. If not, it writes a mark, so that the
// next boot knows the cause of the reset.
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

// petEvery returns the interval at which to pet the watchdog, so short that one time may be missed.
func (m *Machine) petEvery() time.Duration { return m.watchdog.Timeout() / 4 }

// End is the orderly end. It disarms the watchdog and clears the mark, or marks an ordered restart. Pet may still be
// called; it does nothing from then on.
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

// A WatchdogStatus describes the machine's watchdog.
type WatchdogStatus struct {
	On      bool
	Name    string
	Timeout time.Duration
	Proven  bool   // it has reset the machine before
	Missing string // why there is none
}

// Watchdog returns the state of the watchdog.
func (m *Machine) Watchdog() WatchdogStatus {
	if m.watchdog == nil {
		return WatchdogStatus{Missing: m.missing}
	}
	name := m.watchdog.Name()
	return WatchdogStatus{On: true, Name: name, Timeout: m.watchdog.Timeout(), Proven: m.known[name] == works}
}

// Leave returns the watchdog's device for the next core; nil: there is none.
func (m *Machine) Leave() *os.File {
	if m.watchdog == nil {
		return nil
	}
	return m.watchdog.File()
}

// PetWhile pets the watchdog until ctx ends, as long as the system makes progress. turns reports that, and returns
// false once it is too late. A first process that hangs is as good as dead.
func (m *Machine) PetWhile(
	ctx context.Context, turns func(ctx context.Context, late <-chan time.Time) bool, log *logclient.Log,
) {
	if m == nil || m.watchdog == nil {
		return
	}
	go m.witness(ctx)
	for ctx.Err() == nil {
		next := m.clock.After(m.petEvery())
		if !turns(ctx, next) {
			continue // it was next already
		}
		if err := m.Pet(); err != nil {
			log.Error("the machine will be reset", "error", err)
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}
