package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"nexus/selftest/demo"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// A Soak is one run of many cycles on one system.
type Soak struct {
	seed     uint64
	host     *kit.Host
	factory  string
	trust    string
	sets     oracle.Sets
	state    oracle.State // at the last quiet moment
	sequence uint64       // of the last journal record seen in this life of logd
	kills    int          // of services of the confirmed set
	more     int          // how many further daemons are killed after each cycle; then initd is left alone
	growth   Growth
	tally    Tally
	steps    []string // the last ones
}

// How the system is run: little patience, so that the soak takes many steps. The deadline is still longer than initd's
// longest pause before it starts a daemon again (5 s), so that no set fails for a daemon that is killed often.
const (
	settle         = 50 * time.Millisecond
	healthDeadline = 8 * time.Second
	tries          = 2
	hang           = 2 * time.Second // long beside what a busy machine makes a daemon wait, short beside the bounds
)

// up starts the system; it does not wait.
func (s *Soak) up() error {
	return s.host.Up("--trust", s.trust, "--factory", s.factory,
		"--settle", settle.String(), "--hang", hang.String(), "--health-deadline", healthDeadline.String(), "--tries",
		strconv.Itoa(tries),
		"--limit-archive", strconv.Itoa(limitArchive), "--limit-payload", strconv.Itoa(limitPayload))
}

// Bounds of recovery.
const (
	answerBound = 20 * time.Second // until the system answers again
	quietBound  = 60 * time.Second // until a trial that is under way is over, and the confirmed set is healthy
	restPause   = 5 * time.Millisecond
	checkBound  = 15 * time.Second // until what was under way has left nothing behind
)

func (s *Soak) at(parts ...string) string {
	return filepath.Join(append([]string{s.host.Dir}, parts...)...)
}

// newSoak copies the binaries, packs the sets and prepares the folders, all below dir. What is started ends with the
// test.
func newSoak(t testing.TB, seed uint64, bin, from, dir string) *Soak {
	h := &kit.Host{NX: kit.NX{Bin: filepath.Join(dir, "bin"), Dir: filepath.Join(dir, "system"),
		Tmp: filepath.Join(dir, "tmp")}}
	sets := filepath.Join(dir, "sets")
	kit.Must(t, errors.Join(os.MkdirAll(h.Bin, 0o755), os.MkdirAll(h.Tmp, 0o755), os.MkdirAll(sets, 0o755)))
	for _, name := range []string{"nx", "nexus"} { // the soak goes on with these, whatever is built meanwhile
		raw, err := os.ReadFile(filepath.Join(bin, name))
		kit.Must(t, errors.Join(err, os.WriteFile(filepath.Join(h.Bin, name), raw, 0o755)))
	}
	key := filepath.Join(from, "keys", "demo")
	all := maker{t, demo.Packer{Bin: bin, Key: key}, from, sets}.all()
	t.Cleanup(h.Kill)
	return &Soak{seed: seed, host: h, factory: all[0].File, trust: key + ".pub", sets: all, growth: Growth{},
		tally: newTally()}
}

// toldEvery is after how many cycles somebody who waits is told.
const toldEvery = 100

// run goes through so many cycles from the first one on, stops the system and looks what is left. It ends when ctx
// does.
func (s *Soak) run(ctx context.Context, first, cycles int, tell io.Writer) error {
	if err := s.up(); err != nil {
		return err
	}
	var err error
	if s.state, err = s.quiet(); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	for done := range cycles {
		number := first + done
		begun := time.Now()
		c := plan(s.seed, number)
		if s.more > 0 && c.Target.restarts() {
			c.Target = Daemon
		}
		run, err := s.cycle(c)
		s.step(fmt.Sprintf("%s, checked after %s", run.log(), time.Since(begun).Round(time.Millisecond)))
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			return fmt.Errorf("cycle %d: %w", number, err)
		}
		s.tally.add(run)
		if err := s.press(number); err != nil {
			return fmt.Errorf("after cycle %d: %w", number, err)
		}
		if (done+1)%toldEvery == 0 {
			fmt.Fprintf(tell, "soak: %d of %d cycles\n", done+1, cycles)
		}
	}
	if s.more > 0 {
		if err := s.growth.flat("initd"); err != nil {
			return err
		}
	}
	return s.shutdown()
}

// press kills further daemons in turn, each once the system is quiet again. None of that may change what is confirmed.
func (s *Soak) press(number int) error {
	for n := range s.more {
		hit := s.strikeDaemons(Cycle{Victim: number*s.more + n})
		now, err := s.quiet()
		if err != nil {
			return fmt.Errorf("%s was killed: %w", hit, err)
		}
		if now.ActiveSlot != s.state.ActiveSlot || now.Active().Digest() != s.state.Active().Digest() {
			return fmt.Errorf("%s was killed: slot %s is active, not %s", hit, now.ActiveSlot, s.state.ActiveSlot)
		}
		s.tally.faults++
		s.tally.kills[hit]++
	}
	if s.more == 0 {
		return nil
	}
	s.kills = 0 // execd was killed as well, and has counted anew
	return s.check()
}

// quiet waits until nothing is under way, neither now nor due, and all that is still so a moment later: what a killed
// nx had asked for may be on its way.
func (s *Soak) quiet() (oracle.State, error) {
	begun, answered := time.Now(), time.Now()
	var before oracle.State
	return s.host.Quiet(quietBound, restPause, s.sets, func(now oracle.State, asking error) (bool, error) {
		if asking != nil {
			if time.Since(answered) > answerBound {
				return false, fmt.Errorf("the system does not answer for %s: %w", answerBound, asking)
			}
			return false, nil
		}
		rests := reflect.DeepEqual(now, before)
		answered, before = time.Now(), now
		return rests && (!s.looping(now) || time.Since(begun) > watchBound), nil
	})
}

// shutdown stops the system as an operator does, and looks what it leaves behind.
func (s *Soak) shutdown() error {
	if _, err := s.host.Run("shutdown"); err != nil {
		return err
	}
	if err := s.host.Ended(); err != nil {
		return err
	}
	return errors.Join(s.leftovers(false)...)
}

// keptSteps is how many steps a failure shows.
const keptSteps = 30

// step keeps a line of the step log.
func (s *Soak) step(line string) {
	s.steps = append(s.steps, line)
	s.steps = s.steps[max(0, len(s.steps)-keptSteps):]
}
