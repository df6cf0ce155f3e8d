package initd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/daemons/plat"
	"nexus/libupdates/nxs"
)

// TestHandedIsReadAsItWasWritten goes one way and back, with an open file that is the same file afterwards.
func TestHandedIsReadAsItWasWritten(t *testing.T) {
	memory, err := plat.Memory("record")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := memory.WriteString("the record"); err != nil {
		t.Fatal(err)
	}
	left, err := plat.Duplicate(memory)
	if err != nil {
		t.Fatal(err)
	}
	memory.Close()
	want := Handed{Core: nxs.Sum([]byte("core")), Attempt: 7, Image: "/a place/with & and ,/nexus",
		Files: map[string]*os.File{"record": left}}
	got, err := parseHanded(want.String())
	if err != nil {
		t.Fatal(err)
	}
	if got.Core != want.Core || got.Attempt != 7 || got.Image != want.Image || !got.Given() {
		t.Errorf("got %+v", got)
	}
	file := got.take("record")
	text := make([]byte, 10)
	if _, err := file.ReadAt(text, 0); err != nil || string(text) != "the record" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if got.take("record") != nil {
		t.Error("a file was taken twice")
	}
}

// TestHandedGrows has a later core leave what this one does not know.
func TestHandedGrows(t *testing.T) {
	got, err := parseHanded("attempt=7&image=%2Fbin%2Fnexus&mood=good")
	if err != nil || got.Attempt != 7 || !got.Core.IsZero() || len(got.Files) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHandedIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "cannot take over: ",
		"image=%2Fbin%2Fnexus":           "cannot take over: ",
		"attempt=-1":                     "cannot take over: ",
		"attempt=1&core=abc":             "cannot take over: cannot read digest",
		"attempt=1&file.record=12345678": "cannot take over: cannot take over file record: bad file descriptor",
		"attempt=1&file.record=-1":       "cannot take over: cannot take over file record: ",
		"attempt=1&core=%zz":             "cannot take over: ",
	} {
		if _, err := parseHanded(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// TestWhatWasHandedOnIsNotHandedOnAgain has a core that took over hand over in turn: the next one gets the command line
// that people wrote.
func TestWhatWasHandedOnIsNotHandedOnAgain(t *testing.T) {
	c, err := parseArgs([]string{"--dir", "sys", "--tries", "3", flagHanded, "attempt=7&image=%2Fbin%2Fnexus"},
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
	fresh := func() *system { return newSystem(Config{}, plat.Host{}, nil, os.Stderr) }
	next := func() *Handed { return &Handed{Attempt: 1, Files: map[string]*os.File{}} }

	s := fresh()
	if _, err := s.stop(outcome{}); err != nil {
		t.Fatal(err)
	}
	s.succeed(next())
	if to, err := s.successor(t.Context(), nil); to != nil || err != nil {
		t.Errorf("ordered before: goes on with %+v, %v", to, err)
	}

	s = fresh()
	s.succeed(next())
	if _, err := s.stop(outcome{}); err != nil {
		t.Fatal(err)
	}
	if to, err := s.successor(t.Context(), nil); to != nil || err != nil {
		t.Errorf("ordered meanwhile: goes on with %+v, %v", to, err)
	}

	s = fresh()
	s.succeed(next())
	lock, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	to, err := s.successor(t.Context(), map[string]*os.File{handedLock: lock})
	if err != nil || to == nil || to.Files[handedLock] == nil {
		t.Fatalf("goes on with %+v, %v", to, err)
	}
	to.close()
	if _, err := s.stop(outcome{}); err != errGoingOn {
		t.Errorf("ordered afterwards: %v, want %v", err, errGoingOn)
	}
}
