package initd

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/nxs"
)

// A hurried clock lets nobody wait for long.
type hurried struct{ plat.RealClock }

func (c hurried) After(d time.Duration) <-chan time.Time {
	if d <= firstPause { // as long as a daemon's last words may take
		return c.RealClock.After(d)
	}
	fire := make(chan time.Time, 1)
	fire <- time.Time{}
	return fire
}

// A stillborn daemon ends at once, each time, and says why. It launches itself.
type stillborn struct {
	exit   plat.Exit
	cannot error // it cannot even be launched
	says   []string
	lives  int
}

func (d *stillborn) Launch(_ string, _, stderr *os.File) (plat.Process, error) {
	d.lives++
	if d.cannot != nil {
		return nil, d.cannot
	}
	if len(d.says) > 0 {
		io.WriteString(stderr, d.says[min(d.lives, len(d.says))-1]+"\n")
	}
	return d, nil
}

func (d *stillborn) PID() int { return 1 }
func (d *stillborn) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}
func (d *stillborn) Gone() <-chan struct{} { return d.Done() }
func (d *stillborn) Exit() plat.Exit       { return d.exit }
func (d *stillborn) Terminate()            {}
func (d *stillborn) Kill()                 {}

// A sweeper has nothing to sweep.
type sweeper struct{ plat.Spawner }

func (sweeper) Sweep() {}

// A daemon that never starts ends the start, with the first thing that it said, after a bounded number of tries.
func TestADaemonThatNeverStartsEndsTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		d    stillborn
		want string
	}{
		"an error": {stillborn{exit: plat.Exit{Code: 1}, says: []string{"statefsd: first", "statefsd: later"}},
			"statefsd: first"},
		"a panic": {stillborn{exit: plat.Exit{Code: 2}, says: []string{"panic: boom\n\nmain.main()"}},
			"panic: boom"},
		"without a word":   {stillborn{exit: plat.Exit{Code: 1}}, "exit code 1"},
		"a forbidden call": {stillborn{exit: plat.Exit{Signal: int(syscall.SIGSYS)}}, "signal 31 (bad system call)"},
		"cannot be started": {stillborn{cannot: errors.New("cannot make socket pair: too many open files")},
			"cannot make socket pair: too many open files"},
	} {
		t.Run(name, func(t *testing.T) {
			s, c2 := newborn(t, &c.d)
			s.keepAlive(t.Context(), c2)
			want := "statefsd cannot start, 8 times in a row: " + c.want
			if !s.outcome.failed || s.outcome.why != want {
				t.Errorf("the start ended with %+v, want %q", s.outcome, want)
			}
			if c.d.lives != maxFailures {
				t.Errorf("it was tried %d times", c.d.lives)
			}
		})
	}
}

// Not so one that was ready once, one that is killed from outside, and one of a core that has to prove itself: there is
// a verdict on that.
func TestADaemonThatMayStillStartIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		exit    plat.Exit
		settled bool
		core    nxs.Digest
	}{
		"ready once":   {exit: plat.Exit{Code: 1}, settled: true},
		"killed":       {exit: plat.Exit{Signal: int(syscall.SIGKILL)}},
		"a core tries": {exit: plat.Exit{Code: 1}, core: nxs.Digest{1}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d := &stillborn{exit: c.exit}
			s, daemon := newborn(t, d)
			daemon.settled, s.config.Handed.Core = c.settled, c.core
			for range 3 * maxFailures {
				exit, err := s.live(ctx, daemon)
				if s.ended(ctx, daemon, exit, err) {
					t.Fatalf("given up after %d lives: %+v", d.lives, s.outcome)
				}
			}
		})
	}
}

// newborn is a system of one daemon.
func newborn(t *testing.T, launcher Launcher) (*system, *child) {
	t.Helper()
	s := newSystem(Config{}, plat.Host{Clock: hurried{}, Spawner: sweeper{}}, launcher, io.Discard)
	s.config.Policy.Hang = 0
	c := &child{row: Daemon{Name: stateName}, turn: make(chan struct{}), gone: make(chan struct{})}
	s.children[stateName] = c
	return s, c
}

// A program that needs a loader would be killed before its first word: it is refused by name.
func TestTheBinaryMustBeStatic(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("there is no C compiler to make a dynamic program with: ", err)
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.c"), filepath.Join(dir, "dynamic")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cc", "-o", program, source).CombinedOutput(); err != nil {
		t.Skipf("the C compiler makes no program: %v: %s", err, out)
	}
	err := checkStatic(program)
	if err == nil || !strings.Contains(err.Error(), program+" needs a loader") ||
		!strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("got %v", err)
	}
	if err := checkStatic(source); err != nil {
		t.Errorf("what is no dynamic program: %v", err)
	}
}
