package damage

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/selftest/console"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// An instance is one system, through its starts and ends.
type instance struct {
	t     testing.TB
	host  *kit.Host
	bound time.Duration
	mark  int // the first line of the console since the last start
	harm  int // and the first one since the damage
}

// newInstance makes the folder of a system, and does not start it. What is started ends with the test.
func (c *Campaign) newInstance(t testing.TB, u User, dir string) *instance {
	h := &kit.Host{NX: kit.NX{Bin: c.at("bin"), Dir: c.at(dir), Tmp: c.at(dir + ".tmp"), User: u.Cred}}
	for _, made := range []string{h.Dir, h.Tmp} {
		kit.Must(t, os.MkdirAll(made, 0o755))
		if u.Cred != nil {
			kit.Must(t, os.Chown(made, int(u.Cred.Uid), int(u.Cred.Gid)))
		}
	}
	t.Cleanup(h.Kill)
	return &instance{t: t, host: h, bound: c.bound}
}

func (l *instance) system() string { return l.host.Dir }

// begin starts the system with little patience, and does not wait. What it was told once it has to know.
func (l *instance) begin(flags ...string) {
	l.mark = l.host.Shown()
	kit.Must(l.t, l.host.Up(append([]string{"--state", filepath.Join(l.system(), "state"),
		"--settle", "20ms", "--watch", "0", "--hang", "2s", "--health-deadline", "4s"}, flags...)...))
}

// start starts the system and wants it to be well.
func (l *instance) start(flags ...string) {
	l.begin(flags...)
	if _, settled := l.settle(started); !settled {
		l.t.Fatalf("the system is not well after its start:\n%s", strings.Join(l.console(), "\n"))
	}
}

// nx runs a verb that has to succeed.
func (l *instance) nx(args ...string) {
	_, err := l.host.Run(args...)
	kit.Must(l.t, err)
}

// settle waits until the system rests with a confirmed set. It gives up when the system has ended, when a daemon ends
// again and again, and when nothing was said for as long as the bound, or too much. A start has to confirm its set
// anew; after a verb there may be nothing to confirm.
func (l *instance) settle(when When) (state oracle.State, settled bool) {
	for shown := -1; shown != l.host.Shown() && !settled && l.host.Alive() && !l.hopeless(); {
		shown = l.host.Shown()
		kit.Within(l.bound, "rest or news", func() bool {
			settled = (when != started || console.Count(l.console(), "init: health ok") > 0) &&
				l.host.Ask(&state, "status") == nil && state.HealthOK && state.PendingSlot == nil
			return settled || !l.host.Alive() || l.host.Shown() > shown
		})
	}
	return state, settled
}

// enough is how many lines the longest way to rest may take.
const enough = 60

func (l *instance) hopeless() bool { return looping(l.console()) != "" || len(l.console()) > enough }

// looping is the daemon that ended five times, if there is one.
func looping(lines []string) string {
	crashes := map[string]int{}
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "initd: crash process="); ok {
			name, _, _ := strings.Cut(rest, " ")
			if crashes[name]++; crashes[name] == 5 {
				return name
			}
		}
	}
	return ""
}

// console is what was shown since the mark.
func (l *instance) console() []string { return l.host.Since(l.mark) }

// A Check is what `nx verify` says about a slot.
type Check struct {
	Slot          string  `json:"slot"`
	SystemVersion *string `json:"systemVersion"`
	Intact        bool    `json:"intact"`
}

// verify has the system check its slots; nil where it gives no answer.
func (l *instance) verify() (checks []Check, err error) {
	v, err := l.host.Run("verify")
	if v != nil && json.Unmarshal(v.Stdout.Bytes(), &checks) == nil {
		return checks, nil
	}
	return nil, err
}

// stop has the system end in order, and wants nothing of it to be left.
func (l *instance) stop() error {
	if l.host.Alive() {
		syscall.Kill(l.host.PID(), syscall.SIGTERM)
	}
	err := l.host.Ended()
	l.host.Kill() // what is left, if anything is
	return err
}

// kill ends the first process at once, and all others with it.
func (l *instance) kill() {
	syscall.Kill(l.host.PID(), syscall.SIGKILL)
	kit.Must(l.t, l.host.Gone())
}
