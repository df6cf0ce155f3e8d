package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/selftest/demo"
	"nexus/selftest/oracle"
)

// A fixture is where the real binaries and the demo's sets are: in bin and in demo below the root.
type fixture struct{ root string }

func (f fixture) bin() string  { return filepath.Join(f.root, "bin") }
func (f fixture) demo() string { return filepath.Join(f.root, "demo") }

// newFixture builds the real binaries and packs the demo's sets with them.
func newFixture(t *testing.T) fixture {
	t.Helper()
	f := fixture{t.TempDir()}
	if err := os.MkdirAll(f.bin(), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", f.bin()+"/",
		"nexus/daemons/nexus", "nexus/nx", "nexus/nxspack/nxs-pack", "nexus/nxspack/nxb-pack")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	if err := demo.Make(f.bin(), f.demo(), runtime.GOARCH, io.Discard); err != nil {
		t.Fatal(err)
	}
	return f
}

// The short soak begins late enough in a stretch that initd is killed, too.
const (
	shortSeed   = 283
	shortFirst  = 45
	shortCycles = 25
)

// TestSoak runs a short soak of the real system, and sees that a soak of a system that breaks its promise fails.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes, and many of them")
	}
	f := newFixture(t)
	t.Run("keeps", func(t *testing.T) { keeps(t, f) })
	t.Run("breaks", func(t *testing.T) { breaks(t, f) })
	t.Run("planted", func(t *testing.T) { planted(t, f) })
}

// keeps wants the real system to come through, and the soak to leave nothing.
func keeps(t *testing.T, f fixture) {
	t.Setenv("TMPDIR", t.TempDir())
	var out, errs bytes.Buffer
	if err := soak(shortSeed, shortFirst, shortCycles, 0, f.bin(), f.demo(), &out, &errs); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	t.Logf("\n%s", out.String())
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) != 0 {
		t.Errorf("the soak left %v (%v)", left, err)
	}
}

// breaks tells the soak that a set is good whose service ends: the rollback is then a broken promise.
func breaks(t *testing.T, f fixture) {
	s := realSoak(t, f)
	for _, set := range s.sets {
		if set.Reason == refusal.ServiceExited {
			set.Fate, s.sets = oracle.Good, oracle.Sets{set}
			break
		}
	}
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	s.sets = append(s.sets, &oracle.Set{Name: "the first", File: s.factory, Fate: oracle.Good})
	if err := s.sets[1].Load(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.state, err = s.quiet(); err != nil {
		t.Fatal(err)
	}
	if _, err = s.cycle(Cycle{Flow: Update}); err == nil || !strings.Contains(err.Error(), "without a cause") {
		t.Errorf("got %v, want a rollback without a cause", err)
	}
}

// planted puts things into a system that runs, and wants them found.
func planted(t *testing.T, f fixture) {
	s := realSoak(t, f)
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.state, err = s.quiet(); err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	payload := s.at("system/a/hello.nxb/payload.elf")
	if err := os.Chmod(payload, 0o755); err != nil {
		t.Fatal(err)
	}
	plant(t, payload, "another program")
	plant(t, s.at("run/stray"), "")
	plant(t, s.at("system/sets/stray/x"), "")
	found := s.findings()
	for _, want := range []string{"slot a: hello.nxb/payload.elf has digest", "set system/sets/stray is left over"} {
		if !mentions(found, want) {
			t.Errorf("found %v, want %q", found, want)
		}
	}
}

// realSoak is a soak that has not begun; whatever it starts ends with the test.
func realSoak(t *testing.T, f fixture) *Soak {
	t.Helper()
	s, err := newSoak(shortSeed, f.bin(), f.demo(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.host.Kill)
	return s
}
