package world_test

import (
	"context"
	"testing"
	"time"

	"nexus/capnpgen/exec"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// TestAskedUnderWatch has native services that are healthy at the commit and later report that they fail, while they
// still run.
func TestAskedUnderWatch(t *testing.T) {
	for program, want := range map[string]refusal.Reason{
		"sick 1.1.0":  refusal.ServiceUnhealthy,
		"mute 1.1.0":  refusal.ServiceUnhealthy,
		"moody 1.1.0": refusal.CrashLoop,
	} {
		t.Run(program, func(t *testing.T) {
			_, o := started(t)
			update(t, o, set(t, "1.1.0", program))
			o.AwaitState("the watch", 0, watched)
			s := o.AwaitState("the rollback", 200*time.Millisecond, rolledBack)
			if s.Active != bootctl.A || s.Rollback != string(want) {
				t.Errorf("got %+v, want %s", s, want)
			}
		})
	}
}

// TestAskedForEver has a service that is asked for its health after the watch has ended: its state is shown and has no
// other effect.
func TestAskedForEver(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := world.New(t)
	w.Share("status")
	w.Start(set(t, "1.0.0", "moody 1.0.0"), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	answer, release := as(t, ctx, w, "status").Services(ctx, nil)
	defer release()
	for _, want := range []exec.ServiceStatus_State{
		exec.ServiceStatus_State_healthy, exec.ServiceStatus_State_failed, exec.ServiceStatus_State_healthy,
		exec.ServiceStatus_State_failed,
	} {
		for stateOf(t, ctx, answer.Services()) != want {
			w.Clock.Wind(100 * time.Millisecond)
		}
	}
	if w.Shows(`execd: crash process=bundle:hello`) {
		t.Error("the service was stopped")
	}
}

// stateOf returns the state of the only service.
func stateOf(t *testing.T, ctx context.Context, services exec.ServiceWatch) exec.ServiceStatus_State {
	t.Helper()
	answer, release := services.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	list, err := res.Services()
	if err != nil || list.Len() != 1 {
		t.Fatalf("%d services, %v", list.Len(), err)
	}
	return list.At(0).State()
}
