package machine

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/bootctl"
)

func devices(names ...string) []plat.WatchdogDevice {
	var list []plat.WatchdogDevice
	for i, name := range names {
		list = append(list, plat.WatchdogDevice{Path: string(rune('0' + i)), Name: name})
	}
	return list
}

// TestWhichWatchdogIsArmed: what was seen to work comes first, then what is known to, then any of the machine's, then
// the kernel's own, and last the one that may be strapped off. One that was seen to fail is never armed.
func TestWhichWatchdogIsArmed(t *testing.T) {
	for _, c := range []struct {
		known verdicts
		has   []string
		want  string
	}{
		{nil, []string{dogTCO, dogESB}, dogESB + ", " + dogTCO},
		{nil, []string{dogSoftware, dogTCO, "IB700 WDT", dogESB}, dogESB + ", IB700 WDT, " + dogSoftware + ", " + dogTCO},
		{nil, []string{"", dogSoftware}, ", " + dogSoftware},
		{nil, []string{"two", "one", "two"}, "two, one, two"},
		{verdicts{dogTCO: works}, []string{dogESB, dogTCO}, dogTCO + ", " + dogESB},
		{verdicts{dogESB: fails}, []string{dogESB, dogTCO}, dogTCO},
		{verdicts{dogESB: tried}, []string{dogTCO, dogESB}, dogESB + ", " + dogTCO},
		{verdicts{dogTCO: fails}, []string{dogTCO}, ""},
		{nil, nil, ""},
	} {
		var got []string
		for _, d := range c.known.order(devices(c.has...)) {
			got = append(got, d.Name)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("of %q, knowing %v: %q, want %q", c.has, c.known, text, c.want)
		}
	}
}

// A pack is the watchdogs of a machine, of which the first that is armed is remembered.
type pack struct {
	names []string
	busy  string // cannot be opened

	mu    sync.Mutex
	armed []*hound
}

func (p *pack) dogs() dogs {
	return dogs{
		list: func() ([]plat.WatchdogDevice, error) { return devices(p.names...), nil },
		open: func(path string, timeout time.Duration) (dog, error) {
			name := p.names[path[0]-'0']
			if name == p.busy {
				return nil, errors.New(name + " is busy")
			}
			h := &hound{name: name, timeout: timeout}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.armed = append(p.armed, h)
			return h, nil
		},
	}
}

// last is the one that was opened last.
func (p *pack) last() *hound {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.armed[len(p.armed)-1]
}

// guards are the watchdogs that are armed now.
func (p *pack) guards() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, h := range p.armed {
		if h.isArmed() {
			names = append(names, h.name)
		}
	}
	return names
}

// boot is a machine with these watchdogs, armed by what they are.
func (p *pack) boot(t *testing.T, cause bootctl.Cause) *Machine {
	t.Helper()
	m := &Machine{clock: plat.RealClock{}, dogs: p.dogs(), timeout: time.Minute, cause: cause}
	if err := m.guard(nil); err != nil {
		t.Fatal(err)
	}
	return m
}

// recalled boots and goes by what is remembered; a watchdog that works never lets this return.
func recalled(t *testing.T, dir string, p *pack, cause bootctl.Cause, try bool) (*Machine, string) {
	t.Helper()
	var console strings.Builder
	m := p.boot(t, cause)
	m.Recall(dir, try, &console)
	return m, console.String()
}

func remembered(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, verdictsFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// The first trial restarts the machine; what the next boot sees of it is remembered, and it is not tried again.
func TestATriedWatchdogIsRemembered(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause bootctl.Cause // of the boot after
		want  string        // what is remembered then
	}{
		{"the machine says so", bootctl.Watchdog, "works " + dogESB + "\n"},
		{"nothing says why", bootctl.Unknown, "works " + dogESB + "\n"},
		{"the power was cut", bootctl.Power, ""},
		{"the kernel panicked", bootctl.Crash, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				p := &pack{names: []string{dogSoftware, dogESB}}
				m := p.boot(t, bootctl.Power)
				stopped := make(chan struct{})
				go func() { defer close(stopped); m.Recall(dir, true, io.Discard) }()
				time.Sleep(trialTimeout)
				synctest.Wait() // here it is reset
				if got := remembered(t, dir); got != "tried "+dogESB+"\n" || !slices.Equal(p.guards(), []string{dogESB}) {
					t.Errorf("while it is tried: remembered %q, armed %q", got, p.guards())
				}
				if last := p.last(); last.timeout != trialTimeout || last.petted() != 0 {
					t.Errorf("tried with %v, petted %d times", last.timeout, last.petted())
				}
				before := remembered(t, dir)
				<-stopped // of a machine that was not reset after all; what it left is taken back
				os.WriteFile(filepath.Join(dir, verdictsFile), []byte(before), 0o600)
			})
			p := &pack{names: []string{dogSoftware, dogESB}}
			m, _ := recalled(t, dir, p, c.cause, false)
			if got := remembered(t, dir); got != c.want || m.watchdog.Name() != dogESB {
				t.Errorf("remembered %q, want %q; armed %s", got, c.want, m.watchdog.Name())
			}
			if again, console := recalled(t, dir, &pack{names: p.names}, bootctl.Power, c.want != ""); console != "" ||
				again.Watchdog().Proven != (c.want != "") {
				t.Errorf("the third boot says %q, proven: %v", console, again.Watchdog().Proven)
			}
		})
	}
}

// One that does nothing is found out and left, the next best is tried in its place, and the best of the rest is armed.
func TestAWatchdogThatFailsIsLeft(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := &pack{names: []string{dogTCO, dogESB}, busy: ""}
		m, console := recalled(t, dir, p, bootctl.Power, true)
		want := LineTrial + dogESB + " is tried: it restarts the machine now, or never\n" +
			LineTrial + dogESB + " does not restart the machine\n" +
			LineTrial + dogTCO + " is tried: it restarts the machine now, or never\n" +
			LineTrial + dogTCO + " does not restart the machine\n" +
			LineNoWatchdog + "none of the machine's watchdogs resets it\n"
		if console != want || m.watchdog != nil || m.missing == "" || len(p.guards()) != 0 {
			t.Errorf("it says\n%swant\n%sarmed: %q", console, want, p.guards())
		}
		if got := remembered(t, dir); got != "fails "+dogESB+"\nfails "+dogTCO+"\n" {
			t.Errorf("remembered %q", got)
		}
	})
	p := &pack{names: []string{dogTCO, dogESB, dogSoftware}}
	if m, console := recalled(t, dir, p, bootctl.Crash, false); m.watchdog.Name() != dogSoftware || console != "" ||
		!slices.Equal(p.guards(), []string{dogSoftware}) {
		t.Errorf("armed %q, said %q", p.guards(), console)
	}
}

// One that cannot be opened is neither good nor bad, and no reason to go without.
func TestABusyWatchdogIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := &pack{names: []string{dogESB, dogSoftware}, busy: dogESB}
		m, console := recalled(t, dir, p, bootctl.Power, true)
		if !strings.HasPrefix(console, LineTrial+dogESB+" is busy\n") || m.watchdog != nil {
			t.Errorf("it says %q, armed %q", console, p.guards())
		}
		if got := remembered(t, dir); got != "fails "+dogSoftware+"\n" {
			t.Errorf("remembered %q", got)
		}
	})
}

// What is no verdict is none, and what cannot be remembered ends nothing.
func TestVerdictsAreReadWithSuspicion(t *testing.T) {
	for text, want := range map[string]int{
		"":                              0,
		"works " + dogESB:               1,
		"works\nfails \nbest x\n\x00\n": 0,
		"works " + strings.Repeat("x", 33) + "\n":  0,
		"works a\nfails b\nworks a\n":              2,
		strings.Repeat("works a\n", maxVerdicts):   1,
		strings.Repeat("x", 2*maxVerdicts) + "\nw": 0,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, verdictsFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, _ := recalled(t, dir, &pack{names: []string{dogESB}}, bootctl.Power, false)
		if len(m.known) != want {
			t.Errorf("%.20q gives %v", text, m.known)
		}
	}
	p := &pack{names: []string{dogESB}}
	if m, console := recalled(t, filepath.Join(t.TempDir(), "none"), p, bootctl.Power, true); console == "" ||
		!slices.Equal(p.guards(), []string{dogESB}) || m.Watchdog().Proven {
		t.Errorf("without a folder: armed %q, said %q", p.guards(), console)
	}
}
