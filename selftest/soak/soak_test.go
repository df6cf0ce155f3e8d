package soak

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"nexus/libupdates/refusal"
	"nexus/selftest/demo"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// The short soak begins late enough in a stretch that initd is killed, too.
const (
	shortSeed   = 283
	shortFirst  = 45
	shortCycles = 25
)

var (
	cycles = flag.Int("cycles", shortCycles, "how many update cycles")
	first  = flag.Int("first", shortFirst, "number of the first cycle")
	seed   = flag.Uint64("seed", shortSeed, "what decides sets, flows, faults and moments")
	more   = flag.Int("more", 0,
		"how many further daemons are killed after each cycle; initd then lives throughout, and must not grow")
)

// A fixture is where the real binaries and the demo's sets are: in bin and in demo below the root.
type fixture struct{ root string }

func (f fixture) bin() string  { return filepath.Join(f.root, "bin") }
func (f fixture) demo() string { return filepath.Join(f.root, "demo") }

// TestSoak soaks the real system, and sees that a soak of a system that breaks its promise fails.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes, and many of them")
	}
	f := fixture{t.TempDir()}
	kit.Must(t, errors.Join(demo.Build(f.bin()), demo.Make(f.bin(), f.demo(), runtime.GOARCH, io.Discard)))
	t.Run("keeps", func(t *testing.T) { keeps(t, f) })
	t.Run("breaks", func(t *testing.T) { breaks(t, f) })
	t.Run("planted", func(t *testing.T) { planted(t, f) })
}

// keeps wants the real system to come through. A failure leaves the folder for inspection.
func keeps(t *testing.T, f fixture) {
	dir, err := os.MkdirTemp("", "nexus-soak")
	kit.Must(t, err)
	s, begun := newSoak(t, *seed, f.bin(), f.demo(), dir), time.Now()
	s.more = *more
	if err := s.run(t.Context(), *first, *cycles, t.Output()); err != nil {
		s.explain(t.Output())
		t.Fatalf("seed %d: %v", *seed, err)
	}
	s.report(t.Output(), time.Since(begun))
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// breaks tells the soak that a set is good whose service ends: the rollback is then a broken promise.
func breaks(t *testing.T, f fixture) {
	s := newSoak(t, *seed, f.bin(), f.demo(), t.TempDir())
	for _, set := range s.sets {
		if set.Reason == refusal.ServiceExited {
			set.Fate, s.sets = oracle.Good, oracle.Sets{set}
			break
		}
	}
	kit.Must(t, s.up())
	s.sets = append(s.sets, &oracle.Set{Name: "the first", File: s.factory, Fate: oracle.Good})
	kit.Must(t, s.sets[1].Load())
	var err error
	s.state, err = s.quiet()
	kit.Must(t, err)
	if _, err = s.cycle(Cycle{Flow: Update}); err == nil || !strings.Contains(err.Error(), "without a cause") {
		t.Errorf("got %v, want a rollback without a cause", err)
	}
}

// planted puts things into a system that runs, and wants them found.
func planted(t *testing.T, f fixture) {
	s := newSoak(t, *seed, f.bin(), f.demo(), t.TempDir())
	kit.Must(t, s.up())
	var err error
	s.state, err = s.quiet()
	kit.Must(t, err)
	kit.Must(t, s.check())
	payload := s.at("system/a/hello.nxb/payload.elf")
	kit.Must(t, os.Chmod(payload, 0o755))
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
