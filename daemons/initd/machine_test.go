package initd

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
)

// A hound is a watchdog that remembers.
type hound struct {
	timeout  time.Duration
	mu       sync.Mutex
	pets     int
	disarmed bool
}

func (*hound) Name() string             { return "hound" }
func (h *hound) Timeout() time.Duration { return h.timeout }

func (h *hound) Pet() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pets++
	return nil
}

func (h *hound) Disarm() error {
	h.disarmed = true
	return nil
}

func (h *hound) petted() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pets
}

// guarded is a system with the loops of two daemons, in a machine with a hound.
func guarded(memory *page, timeout time.Duration) (*system, *hound) {
	h := &hound{timeout: timeout}
	m := &machine{watchdog: h, memory: memory, clock: plat.RealClock{}}
	m.begin(false, 0)
	s := &system{config: Config{machine: m}, host: plat.Host{Clock: plat.RealClock{}},
		log: logclient.New("initd", vat.NewHolding("LogSink"))}
	for _, name := range []string{"one", "two"} {
		s.order = append(s.order, &child{row: Daemon{Name: name}, turn: make(chan struct{}), gone: make(chan struct{})})
	}
	return s, h
}

// loop turns until it is told to stand still.
func loop(c *child, stand <-chan struct{}) {
	for {
		select {
		case <-c.turn:
		case <-stand:
			return
		}
	}
}

// nextSees is why the next boot would take itself to have begun, if the reset came right after the last pet.
func nextSees(s *system, memory *page) bootctl.Cause {
	s.config.machine.mu.Lock()
	defer s.config.machine.mu.Unlock()
	m, count := readMark(memory)
	return m.cause(count > 0, m.petted)
}

// The watchdog is petted while all loops turn, and no longer; then the mark says so before the reset comes.
func TestOnlyProgressPets(t *testing.T) {
	for _, c := range []struct {
		name string
		hang func(s *system, stand func())
		want bootctl.Cause
	}{
		{"a loop that stands", func(_ *system, stand func()) { stand() }, bootctl.Watchdog},
		{"a daemon that has ended", func(s *system, stand func()) {
			close(s.order[1].gone)
			stand()
		}, bootctl.Crash},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := &page{}
				s, h := guarded(memory, 20*time.Second)
				ctx, end := context.WithCancel(t.Context())
				stand, never := make(chan struct{}), make(chan struct{})
				go loop(s.order[0], never)
				go loop(s.order[1], stand)
				go s.petWatchdog(ctx)

				time.Sleep(time.Minute)
				if n := h.petted(); n < 11 || n > 13 {
					t.Errorf("petted %d times in a minute", n)
				}
				c.hang(s, func() { close(stand) })
				before := h.petted()
				time.Sleep(h.Timeout())
				hangs := h.petted() <= before+1
				if hangs != (c.want == bootctl.Watchdog) {
					t.Errorf("petted %d times since", h.petted()-before)
				}
				if got := nextSees(s, memory); got != c.want {
					t.Errorf("the next boot would see %s, want %s", got, c.want)
				}
				end()
				close(never)
				s.log.Close()
			})
		})
	}
}

// A lock that is never given back ends the petting, too.
func TestAKeptLockPetsNobody(t *testing.T) {
	memory := &page{}
	s, h := guarded(memory, 40*time.Millisecond)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	s.order = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	go s.petWatchdog(ctx)
	for deadline := time.After(10 * time.Second); ; {
		s.config.machine.mu.Lock()
		state := s.config.machine.mark.state
		s.config.machine.mu.Unlock()
		if h.petted() > 0 {
			t.Fatal("the watchdog is petted by a system that stands still")
		}
		if state == markHangs {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatal("no mark says that the system stands still")
		}
	}
}

// A loop that stood for a moment, less than the watchdog waits, costs nothing.
func TestWhatGoesOnIsPettedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &page{}
		s, h := guarded(memory, 20*time.Second)
		ctx, end := context.WithCancel(t.Context())
		stand, never := make(chan struct{}), make(chan struct{})
		go loop(s.order[0], never)
		go loop(s.order[1], stand)
		go s.petWatchdog(ctx)
		time.Sleep(time.Minute)

		close(stand)
		synctest.Wait()
		before := h.petted()
		time.Sleep(13 * time.Second)
		if n := h.petted() - before; n != 0 {
			t.Errorf("petted %d times while it stood", n)
		}
		go loop(s.order[1], never)
		time.Sleep(time.Minute)
		if n := h.petted() - before; n < 11 || n > 13 {
			t.Errorf("petted %d times in a minute since it goes on", n)
		}
		if got := nextSees(s, memory); got != bootctl.Crash {
			t.Errorf("the next boot would see %s, want %s", got, bootctl.Crash)
		}
		end()
		close(never)
		s.log.Close()
	})
}

// What one boot leaves is what the next one sees.
func TestOneBootTellsTheNext(t *testing.T) {
	for _, c := range []struct {
		name   string
		leave  func(*machine) error
		barked bool
		want   bootctl.Cause
	}{
		{"nothing was said", func(*machine) error { return nil }, false, bootctl.Crash},
		{"the device remembers", func(*machine) error { return nil }, true, bootctl.Watchdog},
		{"to begin anew", func(m *machine) error { return m.end(true) }, false, bootctl.Commanded},
		{"for good", func(m *machine) error { return m.end(false) }, false, bootctl.Power},
	} {
		t.Run(c.name, func(t *testing.T) {
			memory, h := &page{}, &hound{timeout: 20 * time.Second}
			first := &machine{watchdog: h, memory: memory, clock: plat.RealClock{}}
			if cause := first.begin(false, 0); cause != bootctl.Power {
				t.Errorf("the first boot sees %s", cause)
			}
			if err := c.leave(first); err != nil {
				t.Fatal(err)
			}
			if err := first.pet(); err != nil { // by a loop that has not heard of the end
				t.Fatal(err)
			}
			first.look()
			next := &machine{watchdog: h, memory: memory, clock: plat.RealClock{}}
			if got := next.begin(c.barked, 0); got != c.want {
				t.Errorf("the next boot sees %s, want %s", got, c.want)
			}
		})
	}
}

// A machine without a watchdog, or without memory that survives, runs all the same.
func TestAMachineWithoutEither(t *testing.T) {
	bare := &machine{missing: "there is none", clock: plat.RealClock{}}
	if cause := bare.begin(false, 0); cause != bootctl.Unknown {
		t.Errorf("it sees %s", cause)
	}
	if err := bare.end(true); err != nil {
		t.Error(err)
	}
	if _, err := openWatchdog(0, nil); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	(&system{config: Config{machine: bare}}).petWatchdog(t.Context())
	(&system{}).petWatchdog(t.Context())
}
