package world_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
)

// TestWhatCannotBeKilledIsNobodysFault has a program of the old set that cannot be killed. The new set starts and is
// committed anyway. The old program is listed until it ends, and does not delay the system's stop longer than others
// may.
func TestWhatCannotBeKilledIsNobodysFault(t *testing.T) {
	w, o := started(t)
	letGo := sync.OnceFunc(w.LetGo)
	t.Cleanup(letGo) // before the system stops, whose clock stands still
	update(t, o, set(t, "1.1.0", "stuck 1.1.0"))
	o.AwaitState("the commit", 50*time.Millisecond, committed(bootctl.B))
	update(t, o, set(t, "1.2.0", "serve 1.2.0"))
	s := o.AwaitState("the verdict", 50*time.Millisecond, func(s world.State) bool {
		return rolledBack(s) ||
			committed(bootctl.A)(s)
	})
	if s.Active != bootctl.A || s.Rollback != "" || s.Quarantine != 0 {
		t.Errorf("got %+v", s)
	}
	const left = "hello 1.1.0: it was killed, and the kernel has not ended it"
	if got := services(t, o); !slices.Contains(got, left) || !slices.Contains(got, "hello 1.2.0: serve") {
		t.Errorf("services: %q", got)
	}
	letGo()
	for slices.Contains(services(t, o), left) {
		w.Clock.Wind(time.Millisecond)
	}
}

func services(t *testing.T, o *world.Operator) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	all, err := o.Services(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
