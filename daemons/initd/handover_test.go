package initd

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"nexus/daemons/initd/machine"
)

// TestWhatWasHandedOnIsNotHandedOnAgain has a core that took over hand over in turn: the next one gets the command line
// that people wrote.
func TestWhatWasHandedOnIsNotHandedOnAgain(t *testing.T) {
	c, err := parseArgs([]string{"--dir", "sys", "--tries", "3", machine.FlagHanded, "attempt=7&image=%2Fbin%2Fnexus"},
		os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"--dir", "sys", "--tries", "3"}; !slices.Equal(c.args, want) {
		t.Errorf("the command line is %q, want %q", c.args, want)
	}
	if c.Handed.Attempt != 7 || c.Policy.Tries != 3 {
		t.Errorf("got %+v", c)
	}
}

// TestAnOrderToStopBeatsACore orders a system to stop before, while and after a core is about to take over: before that
// core is executed the order counts, afterwards it is refused, so nobody is told that a system stopped which goes on.
func TestAnOrderToStopBeatsACore(t *testing.T) {
	next := func() *machine.Handed { return &machine.Handed{Attempt: 1, Files: map[string]*os.File{}} }

	e := newEnding()
	if _, err := e.stop(outcome{}); err != nil {
		t.Fatal(err)
	}
	e.succeed(next())
	if to, err := e.successor(t.Context(), nil); to != nil || err != nil {
		t.Errorf("ordered before: goes on with %+v, %v", to, err)
	}

	e = newEnding()
	e.succeed(next())
	if _, err := e.stop(outcome{}); err != nil {
		t.Fatal(err)
	}
	if to, err := e.successor(t.Context(), nil); to != nil || err != nil {
		t.Errorf("ordered meanwhile: goes on with %+v, %v", to, err)
	}

	e = newEnding()
	e.succeed(next())
	lock, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	to, err := e.successor(t.Context(), map[string]*os.File{machine.HandedLock: lock})
	if err != nil || to == nil || to.Files[machine.HandedLock] == nil {
		t.Fatalf("goes on with %+v, %v", to, err)
	}
	to.Close()
	if _, err := e.stop(outcome{}); err != errGoingOn {
		t.Errorf("ordered afterwards: %v, want %v", err, errGoingOn)
	}
}
