package initd

import (
	"context"
	"errors"
	"slices"
	"testing"

	"nexus/daemons/convert"
	"nexus/libupdates/refusal"
)

// The first order counts; the same again changes nothing, and another one is refused in words that cross the wire.
func TestTheFirstOrderCounts(t *testing.T) {
	stop, reboot := outcome{ordered: true}, outcome{ordered: true, again: true}
	for _, c := range []struct {
		name        string
		first, then outcome
		refused     bool
		result      error
	}{
		{"stop, stop", stop, stop, false, nil},
		{"stop, reboot", stop, reboot, true, nil},
		{"reboot, reboot", reboot, reboot, false, ErrReboot},
		{"reboot, stop", reboot, stop, true, ErrReboot},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnding()
			var recorded []refusal.Reason
			record := func(err error) { recorded = append(recorded, refusal.Of(err)) }
			if err := e.endBy(c.first, record); err != nil {
				t.Fatal(err)
			}
			if err := e.endBy(c.then, record); (refusal.Of(convert.Excepted(err)) == refusal.Superseded) != c.refused {
				t.Errorf("got %v, want it refused: %t", err, c.refused)
			}
			want := []refusal.Reason{"", ""}
			if c.refused {
				want[1] = refusal.Superseded
			}
			if !slices.Equal(recorded, want) {
				t.Errorf("recorded are %q, want %q", recorded, want)
			}
			if err := e.result(t.Context()); !errors.Is(err, c.result) {
				t.Errorf("it ends with %v, want %v", err, c.result)
			}
		})
	}
}

// Who sends a signal to the first process orders an end, and one for good.
func TestASignalIsAnOrder(t *testing.T) {
	e := newEnding()
	ctx, signal := context.WithCancelCause(t.Context())
	if e.ordered(ctx) {
		t.Error("an end was ordered by nobody")
	}
	if err := e.endBy(outcome{ordered: true, again: true}, func(error) {}); err != nil || !e.ordered(ctx) {
		t.Errorf("a reboot is no order: %v", err)
	}
	signal(nil)
	if !e.ordered(ctx) || e.result(ctx) != nil {
		t.Errorf("after a signal it ends with %v", e.result(ctx))
	}
	cut, end := context.WithCancelCause(t.Context())
	end(ErrNoOrder)
	if e.ordered(cut) {
		t.Error("a cut is an order")
	}
}
