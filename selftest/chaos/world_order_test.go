package chaos_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"nexus/daemons/world"
	"nexus/libupdates/updatestest"
	"nexus/selftest/kit"
)

// TestOrderOfCalls checks the order of the calls between daemons in an undisturbed update: nothing is tried before its
// attempt is counted, nothing is published before its signature is verified again, and nothing is committed before the
// services have reported their health.
func TestOrderOfCalls(t *testing.T) {
	names := map[string]string{
		"Verifier updated>keystored 0":       "verify",
		"SlotPublisher updated>bundlemgrd 0": "publish",
		"SlotPublisher updated>bundlemgrd 1": "check",
		"HealthGate initd>updated 0":         "attempt",
		"HealthGate initd>updated 1":         "commit",
		"HealthGate initd>updated 2":         "fail",
		"ServiceHealth initd>execd 0":        "ask services",
	}
	for _, c := range []struct {
		version string
		want    []string
	}{
		{newer, []string{"verify", "verify", "check", "verify", "attempt", "verify", "publish", "ask services", "commit"}},
		{exiting, []string{"verify", "verify", "check", "verify",
			"attempt", "verify", "publish", "ask services", "fail", "attempt", "verify", "publish", "ask services",
			"fail",
			"attempt", "verify", "publish", "ask services", "commit"}},
	} {
		var mu sync.Mutex
		var calls []string
		w := world.New(t)
		w.Listen(func(m world.Message) bool {
			name := names[fmt.Sprintf("%s %s>%s %d", m.Facet, m.From, m.To, m.Method)]
			if m.What == "call" && name != "" {
				mu.Lock()
				calls = append(calls, name)
				mu.Unlock()
			}
			return true
		})
		archives := worldSets(t)
		w.Start(archives[factory], updatestest.Key(1).Public())
		w.Await("init: health ok (slot a)", 1)
		mu.Lock()
		calls = nil
		mu.Unlock()
		o := w.Operator()
		staged, err := o.Stage(archives[c.version])
		kit.Must(t, err)
		kit.Must(t, o.Switch(staged))
		staged.Release()
		o.AwaitState("the verdict", 0, func(s world.State) bool {
			return resting(s) && (holds(s, s.Active, c.version) || s.Rollback != "")
		})
		mu.Lock()
		if got := deciding(calls); !slices.Equal(got, c.want) {
			t.Errorf("update to %s:\ngot  %q\nwant %q", c.version, got, c.want)
		}
		mu.Unlock()
	}
}

// deciding drops all queries about services except the last one before a verdict, because they are repeated.
func deciding(calls []string) (kept []string) {
	for i, name := range calls {
		if name != "ask services" || i+1 < len(calls) && slices.Contains([]string{"commit", "fail"}, calls[i+1]) {
			kept = append(kept, name)
		}
	}
	return kept
}
