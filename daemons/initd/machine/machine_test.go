package machine

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
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
	name     string
	timeout  time.Duration
	mu       sync.Mutex
	pets     int
	disarmed bool
}

func (h *hound) Name() string           { return h.name }
func (*hound) Barked() bool             { return false }
func (*hound) File() *os.File           { return nil }
func (h *hound) Timeout() time.Duration { return h.timeout }

func (h *hound) Pet() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pets++
	return nil
}

func (h *hound) Disarm() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.disarmed = true
	return nil
}

func (h *hound) isArmed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.disarmed
}

func (h *hound) petted() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pets
}

// guarded is a machine with a hound.
func guarded(memory *page, timeout time.Duration) (*Machine, *hound) {
	h := &hound{timeout: timeout}
	m := &Machine{watchdog: h, memory: memory, clock: plat.RealClock{}}
	m.begin(false, 0)
	return m, h
}

// A system makes progress until it is told to stand still.
type system struct{ stands atomic.Bool }

func (s *system) turns(ctx context.Context, late <-chan time.Time) bool {
	if !s.stands.Load() {
		return true
	}
	select {
	case <-late:
	case <-ctx.Done():
	}
	return false
}

// nextSees is why the next boot would take itself to have begun, if the reset came right after the last pet.
func nextSees(m *Machine, memory *page) bootctl.Cause {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, count := readMark(memory)
	return last.cause(count > 0, last.petted)
}

func noLog() *logclient.Log { return logclient.New("initd", vat.NewHolding("LogSink")) }

// The watchdog is petted while the system makes progress, and no longer; then the mark says so before the reset comes.
func TestOnlyProgressPets(t *testing.T) {
	for stands, want := range map[bool]bootctl.Cause{true: bootctl.Watchdog, false: bootctl.Crash} {
		synctest.Test(t, func(t *testing.T) {
			memory, s, log := &page{}, &system{}, noLog()
			m, h := guarded(memory, 20*time.Second)
			ctx, end := context.WithCancel(t.Context())
			go m.PetWhile(ctx, s.turns, log)

			time.Sleep(time.Minute)
			if n := h.petted(); n < 11 || n > 13 {
				t.Errorf("petted %d times in a minute", n)
			}
			s.stands.Store(stands)
			before := h.petted()
			time.Sleep(h.Timeout())
			if hangs := h.petted() <= before+1; hangs != stands {
				t.Errorf("petted %d times since", h.petted()-before)
			}
			if got := nextSees(m, memory); got != want {
				t.Errorf("the next boot would see %s, want %s", got, want)
			}
			end()
			log.Close()
		})
	}
}

// A system that stood for a moment, less than the watchdog waits, costs nothing.
func TestWhatGoesOnIsPettedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, s, log := &page{}, &system{}, noLog()
		m, h := guarded(memory, 20*time.Second)
		ctx, end := context.WithCancel(t.Context())
		go m.PetWhile(ctx, s.turns, log)
		time.Sleep(time.Minute)

		s.stands.Store(true)
		synctest.Wait()
		before := h.petted()
		time.Sleep(13 * time.Second)
		if n := h.petted() - before; n != 0 {
			t.Errorf("petted %d times while it stood", n)
		}
		s.stands.Store(false)
		time.Sleep(time.Minute)
		if n := h.petted() - before; n < 11 || n > 13 {
			t.Errorf("petted %d times in a minute since it goes on", n)
		}
		if got := nextSees(m, memory); got != bootctl.Crash {
			t.Errorf("the next boot would see %s, want %s", got, bootctl.Crash)
		}
		end()
		log.Close()
	})
}

// What one boot leaves is what the next one sees.
func TestOneBootTellsTheNext(t *testing.T) {
	for _, c := range []struct {
		name   string
		leave  func(*Machine) error
		barked bool
		want   bootctl.Cause
	}{
		{"nothing was said", func(*Machine) error { return nil }, false, bootctl.Crash},
		{"the device remembers", func(*Machine) error { return nil }, true, bootctl.Watchdog},
		{"to begin anew", func(m *Machine) error { return m.End(true) }, false, bootctl.Commanded},
		{"for good", func(m *Machine) error { return m.End(false) }, false, bootctl.Power},
	} {
		t.Run(c.name, func(t *testing.T) {
			memory, h := &page{}, &hound{timeout: 20 * time.Second}
			first := &Machine{watchdog: h, memory: memory, clock: plat.RealClock{}}
			if cause := first.begin(false, 0); cause != bootctl.Power {
				t.Errorf("the first boot sees %s", cause)
			}
			if err := c.leave(first); err != nil {
				t.Fatal(err)
			}
			if err := first.Pet(); err != nil { // by a loop that has not heard of the end
				t.Fatal(err)
			}
			first.look()
			next := &Machine{watchdog: h, memory: memory, clock: plat.RealClock{}}
			if got := next.begin(c.barked, 0); got != c.want {
				t.Errorf("the next boot sees %s, want %s", got, c.want)
			}
		})
	}
}

// A machine without a watchdog, or without memory that survives a reset, still runs.
func TestAMachineWithoutEither(t *testing.T) {
	bare := &Machine{missing: "there is none", clock: plat.RealClock{}}
	if cause := bare.begin(false, 0); cause != bootctl.Unknown {
		t.Errorf("it sees %s", cause)
	}
	if err := bare.End(true); err != nil {
		t.Error(err)
	}
	if err := bare.guard(nil); err == nil || bare.watchdog != nil {
		t.Errorf("got %v", err)
	}
	bare.PetWhile(t.Context(), nil, nil)
	(*Machine)(nil).PetWhile(t.Context(), nil, nil) // a host has no machine
}
