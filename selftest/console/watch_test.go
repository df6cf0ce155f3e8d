package console_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/selftest/console"
	"nexus/selftest/kit"
)

// patience bounds each run in a test.
const patience = 5 * time.Minute

// run runs a script as a system and returns what was shown, and the watcher's error.
func run(t *testing.T, script string, w console.Watcher) (shown string, err error) {
	t.Helper()
	system, err := console.Start("/bin/sh", []string{"-c", script}, nil)
	kit.Must(t, err)
	var out bytes.Buffer
	w.Markers = []string{"SELFTEST: one", "SELFTEST: two"}
	w.Out = &out
	if w.Patience == 0 {
		w.Patience = patience
	}
	if w.Timeout == nil {
		w.Timeout = time.After(patience)
	}
	err = w.Run(system)
	select {
	case <-system.Done():
	default:
		t.Error("the system is still running")
	}
	return out.String(), err
}

// forever keeps a script from ending by itself.
const forever = "exec sleep 1000"

func TestRunPasses(t *testing.T) {
	shown, err := run(t, "echo SELFTEST: one; echo other; printf 'SELFTEST: two\\r\\n'", console.Watcher{})
	if err != nil || shown != "SELFTEST: one\nother\nSELFTEST: two\n" {
		t.Errorf("got %v\n%s", err, shown)
	}
}

func TestBootsThatAreAskedFor(t *testing.T) {
	_, err := run(t, "echo boot; echo SELFTEST: one; echo boot; echo SELFTEST: two",
		console.Watcher{Boot: "boot", Boots: 2})
	if err != nil {
		t.Error(err)
	}
}

func TestUntilMarkerStopsTheSystem(t *testing.T) {
	_, err := run(t, "echo SELFTEST: one; echo SELFTEST: two; "+forever, console.Watcher{UntilMarker: true})
	if err != nil {
		t.Error(err)
	}
}

// TestRunFails checks that an error ends the run at once, even if the system goes on, and that it comes with the lines
// before it.
func TestRunFails(t *testing.T) {
	now := make(chan time.Time)
	close(now)
	interrupted := make(chan os.Signal, 1)
	interrupted <- syscall.SIGINT
	for _, c := range []struct {
		name, script string
		watcher      console.Watcher
		want         string
	}{
		{"wrong marker", "echo SELFTEST: two; " + forever, console.Watcher{},
			`wrong marker: got "SELFTEST: two", want "SELFTEST: one"`},
		{"marker too many", "echo SELFTEST: one; echo SELFTEST: two; echo SELFTEST: two; " + forever, console.Watcher{},
			`marker after the last one: "SELFTEST: two"`},
		{"missing marker", "echo SELFTEST: one", console.Watcher{}, `the system ended before "SELFTEST: two"`},
		{"bad end", "echo SELFTEST: one; echo SELFTEST: two; exit 3", console.Watcher{},
			"the system ended badly: exit code 3"},
		{"bad end before the last", "exit 3", console.Watcher{}, `the system ended before "SELFTEST: one": exit code 3`},
		{"killed", "kill -9 $$", console.Watcher{},
			`the system ended before "SELFTEST: one": killed by signal 9 (killed)`},
		{"crash report", "echo 'initd: crash process=updated'; " + forever, console.Watcher{},
			"a daemon crashed: initd: crash process=updated"},
		{"kernel panic", "echo '[    0.1] Kernel panic - not syncing: no init'; " + forever, console.Watcher{},
			"kernel panic: [    0.1] Kernel panic - not syncing: no init"},
		{"second boot", "echo boot 1; echo boot 2; " + forever, console.Watcher{Boot: "boot"},
			"unexpected boot 2: boot 2"},
		{"third boot", "echo boot 1; echo SELFTEST: one; echo boot 2; echo boot 3; " +
			forever, console.Watcher{Boot: "boot", Boots: 2}, "unexpected boot 3: boot 3"},
		{"time", forever, console.Watcher{Timeout: now}, "timed out"},
		{"interrupt", forever, console.Watcher{Interrupted: interrupted}, "interrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := run(t, c.script, c.watcher)
			var failure *console.Failure
			if !errors.As(err, &failure) || err.Error() != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if _, line, ok := strings.Cut(c.want, "crashed: "); ok &&
				(len(failure.Last) != 1 || failure.Last[0] != line) {
				t.Errorf("last lines %q", failure.Last)
			}
		})
	}
}

// TestRunFailsWithoutRoomForTheLog checks that a run whose console cannot be recorded fails.
func TestRunFailsWithoutRoomForTheLog(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	kit.Must(t, err)
	defer full.Close()
	_, err = run(t, "echo SELFTEST: one; "+forever, console.Watcher{Log: full})
	if err == nil || err.Error() != "cannot record console: write /dev/full: no space left on device" {
		t.Errorf("got %v", err)
	}
}

// TestStubbornSystemIsKilled has a system that does not stop when asked: it is killed, with everything that it started.
func TestStubbornSystemIsKilled(t *testing.T) {
	_, err := run(t, "trap '' TERM; echo SELFTEST: two; "+forever, console.Watcher{Patience: time.Millisecond})
	if err == nil || !strings.HasPrefix(err.Error(), "wrong marker") {
		t.Errorf("got %v", err)
	}
}
