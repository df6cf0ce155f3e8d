package updater

import (
	"testing"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

// A fixedClock shows one time.
type fixedClock struct{ realClock }

func (fixedClock) Now() time.Time { return time.UnixMilli(1_700_000_000_123) }

// Each step has the time that the injected clock shows, and a rollback what the service that failed wrote last.
func TestRejectKeepsTimeAndWords(t *testing.T) {
	d := newDeviceOn()
	d.config.Clock = fixedClock{}
	d.disk = durabletest.New()
	d.config.Slots, d.config.Record = d.disk, d.medium
	must(t, d.open())
	d.confirm(t, "1.0.0")
	a := d.tryOut(t, "1.1.0")
	verdict, err := d.Fail(t.Context(), Failure{
		Boot: a.Boot, Reason: refusal.HealthTimeout, Detail: "service hello 1.1.0: starting",
		Output: []string{"waiting", "still waiting"}, Refused: []string{"a socket"},
	})
	must(t, err)
	last := d.Record().LastRollback
	if verdict != bootctl.RolledBack || last.Output != "waiting\nstill waiting" || last.Refused != "a socket" {
		t.Errorf("got %s, %+v", verdict, last)
	}
	for _, e := range d.Record().History {
		if e.UnixMs != 1_700_000_000_123 {
			t.Errorf("%s is of %d", e.Op, e.UnixMs)
		}
	}
}
