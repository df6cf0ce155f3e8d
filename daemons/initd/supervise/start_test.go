package supervise

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// A hurried clock lets nobody wait for long.
type hurried struct{ plat.RealClock }

func (c hurried) After(d time.Duration) <-chan time.Time {
	if d <= wordsPatience { // as long as a daemon's last words may take
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
			daemon, o := newborn(&c.d, 0)
			daemon.keepAlive(t.Context())
			if want := "statefsd: statefsd cannot start, 8 times in a row: " + c.want; o.over != want {
				t.Errorf("it is over with %q, want %q", o.over, want)
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
		patient bool
	}{
		"ready once":   {exit: plat.Exit{Code: 1}, settled: true},
		"killed":       {exit: plat.Exit{Signal: int(syscall.SIGKILL)}},
		"a core tries": {exit: plat.Exit{Code: 1}, patient: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d := &stillborn{exit: c.exit}
			daemon, o := newborn(d, 0)
			daemon.settled, daemon.Patient = c.settled, c.patient
			for range 3 * maxFailures {
				exit, err := daemon.live(ctx)
				if daemon.ended(ctx, exit, err, 0) {
					t.Fatalf("given up after %d lives: %s", d.lives, o.over)
				}
			}
		})
	}
}

// newborn is a supervisor's child that was not started yet, and its owner.
func newborn(launcher Launcher, hang time.Duration) (*child, *owner) {
	o := &owner{}
	s := New(Config{
		Owner: o, Launcher: launcher, Host: plat.Host{Clock: hurried{}, Spawner: sweeper{}}, Stderr: io.Discard,
		Log: logclient.New("initd", vat.NewHolding("LogSink")), Changed: vat.NewNotifier(), Hang: hang,
		Backoff: plat.Backoff{First: time.Hour, Max: time.Hour, Good: time.Hour},
	})
	return newChild(s, Spec{Name: "statefsd"}, nil), o
}

// An owner gives its daemons nothing, and remembers what became of them.
type owner struct{ over string }

func (*owner) Endow(string, *vat.Parent) error { return nil }
func (*owner) LinkEnded(string, vat.Ended)     {}
func (*owner) Died(string)                     {}

func (o *owner) Over(daemon string, _ plat.Exit, why string) { o.over = daemon + ": " + why }
