package mutants

import (
	"context"
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nexus/selftest/kit"
)

var (
	whole   = flag.Bool("whole", false, "seed the faults, and want the tests to catch every one")
	timeout = flag.Duration("limit", 3*time.Minute, "time limit of one test binary; a mutant that hangs is caught by it")
)

// TestMutants seeds the faults, several at a time.
func TestMutants(t *testing.T) {
	if !*whole {
		t.Skip("takes minutes: `make mutants` runs it")
	}
	all, err := mutants()
	kit.Must(t, err)
	dir, err := filepath.Abs(module)
	kit.Must(t, err)
	runs := trial{module: dir, timeout: *timeout}
	var green sync.Map // by suite, whether it is green without a fault
	tried, caught := 0, 0
	var mu sync.Mutex
	t.Run("all", func(t *testing.T) {
		for _, m := range all {
			t.Run(m.id, func(t *testing.T) {
				t.Parallel()
				once, _ := green.LoadOrStore(m.tests,
					sync.OnceValue(func() error { return runs.green(t.Context(), m.tests) }))
				kit.Must(t, once.(func() error)())
				f, err := runs.mutate(t.Context(), m, t.TempDir())
				if err == nil {
					err = f.verdict()
				}
				mu.Lock()
				defer mu.Unlock()
				if tried++; err != nil {
					t.Fatalf("%v; it breaks this: %s", err, m.breaks)
				}
				caught++
				t.Logf("caught by %s", f.by)
			})
		}
	})
	t.Logf("%d faults, %d caught", tried, caught)
}

// green runs a suite on the code as it is: a test that is red anyway proves nothing.
func (t trial) green(ctx context.Context, s suite) error {
	f, err := t.run(ctx, s, "")
	if err == nil && (f.red || f.unbuilt) {
		err = errors.New("the tests are red without a fault, by " + f.by + "\n" + f.output)
	}
	return err
}

// verdict returns why a fault was not caught, or nil.
func (f finding) verdict() error {
	switch {
	case f.unbuilt:
		return errors.New("DOES NOT COMPILE: " + f.output)
	case !f.red:
		return errors.New("SURVIVED")
	}
	return nil
}

// TestVerdict tells every way to miss a fault from catching it.
func TestVerdict(t *testing.T) {
	for want, f := range map[string]finding{"": {red: true}, "SURVIVED": {}, "DOES NOT": {red: true, unbuilt: true}} {
		if err := f.verdict(); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", f, err, want)
		}
	}
}
