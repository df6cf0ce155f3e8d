package testscripts

import (
	"flag"
	"fmt"
	"slices"
	"syscall"
	"testing"
)

// whole has the crash matrix try every cell; without it, those of sample.
var whole = flag.Bool("whole", false, "try every cell of the crash matrix; minutes")

// coreDaemons are all daemons but initd, whose end is the system's: kill_all.txtar and the soak see to that.
var coreDaemons = []string{"logd", "samgrd", "keystored", "bundlemgrd", "packagefsd", "patchd", "updated", "fetchd", "execd"}

// stateDaemon is one more, in a system that keeps its record; the matrix has one.
const stateDaemon = "statefsd"

// A crash is a way in which a daemon stops to serve, and how initd then says that its life ended.
type crash struct {
	name   string
	signal syscall.Signal
	exit   string
}

// crashes are the ways. SIGQUIT makes a Go program end as a panic does: a trace on standard error, and exit status 2.
var crashes = []crash{
	{"kill", syscall.SIGKILL, "signal 9 (killed)"},
	{"stop", syscall.SIGSTOP, "hung: no heartbeat"},
	{"panic", syscall.SIGQUIT, "exit code 2"},
}

// A cell is one crash of one daemon at one stand.
type cell struct {
	daemon string
	crash  crash
	stand  stand
}

func (c cell) String() string { return fmt.Sprintf("%s/%s/%s", c.daemon, c.crash.name, c.stand.name) }

func matrixDaemons() []string { return append(slices.Clone(coreDaemons), stateDaemon) }

// cells is the matrix: all of it, or a sample that has each daemon with each crash once, and each stand as often or
// once more.
func cells(all bool) []cell {
	var found []cell
	for d, daemon := range matrixDaemons() {
		for c, crash := range crashes {
			for s, stand := range stands {
				if all || s == (d*len(crashes)+c)%len(stands) {
					found = append(found, cell{daemon, crash, stand})
				}
			}
		}
	}
	return found
}

// TestCrashMatrix lets each daemon crash at each stand of an update, and of an app's install, upgrade and uninstall.
// Whatever crashes, the system ends as the old one or as the new one, and so does the app; the record says which, the
// operator's command ends with a result or a reason, nobody else restarts, and the next update goes through.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	for _, c := range cells(*whole) {
		t.Run(c.String(), c.try)
	}
}

// try takes one system through the cell.
func (c cell) try(t *testing.T) {
	t.Parallel()
	r := newCrashRig(t, t.TempDir(), "--state", t.TempDir())
	before := r.daemons()
	outcome := c.stand.reach(r, func() { r.strike(c) })
	r.awaitQuiet(c, before)
	c.stand.judge(r, outcome)
	r.wantWhole()
	r.wantOnly(c, before)
	r.wantRecorded(c)
	r.wantNextUpdate()
}

// TestCrashSample holds the sample against what it promises.
func TestCrashSample(t *testing.T) {
	count := map[string]int{}
	for _, c := range cells(false) {
		count[c.daemon+" "+c.crash.name]++
		count[c.stand.name]++
	}
	for _, daemon := range matrixDaemons() {
		for _, crash := range crashes {
			if got := count[daemon+" "+crash.name]; got != 1 {
				t.Errorf("the sample has %s of %s %d times, not once", crash.name, daemon, got)
			}
		}
	}
	each := len(cells(false)) / len(stands)
	for _, stand := range stands {
		if got := count[stand.name]; got != each && got != each+1 {
			t.Errorf("the sample has the stand %q %d times, not %d or once more", stand.name, got, each)
		}
	}
	if got, want := len(cells(true)), len(matrixDaemons())*len(crashes)*len(stands); got != want {
		t.Errorf("the matrix has %d cells, not %d", got, want)
	}
}
