package world_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/exec"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
)

// A silent observer never answers.
type silent struct{ asked atomic.Int32 }

func (s *silent) OnChanged(ctx context.Context, call capupdate.StatusObserver_onChanged) error {
	call.Go()
	s.asked.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

// openVerdicts asks for a verdict that never comes, again and again, and waits for none.
func openVerdicts(ctx context.Context, services exec.ServiceWatch, count int) (release func()) {
	var all []capnp.ReleaseFunc
	for range count {
		_, release := services.Verdict(ctx, func(p exec.ServiceWatch_verdict_Params) error { p.SetBoot(1 << 40); return nil })
		all = append(all, release)
	}
	return func() {
		for _, release := range all {
			release()
		}
	}
}

// openFollows subscribes observers that never answer, and waits for none.
func openFollows(ctx context.Context, status capupdate.UpdateStatus, count int) {
	for range count {
		status.Follow(ctx, func(p capupdate.UpdateStatus_follow_Params) error {
			return p.SetObserver(capupdate.StatusObserver_ServerToClient(&silent{}))
		})
	}
}

// updates brings a set through stage, switch and commit, and wants no set to have suffered for what others do meanwhile.
func updates(t *testing.T, w *world.World, o *world.Operator, version string, to bootctl.Slot) {
	t.Helper()
	staged, err := o.Stage(set(t, version, "serve "+version))
	if err != nil {
		t.Fatalf("cannot stage %s: %v\n%s", version, err, w.Console())
	}
	defer staged.Release()
	if err := o.Switch(staged); err != nil {
		t.Fatalf("cannot switch to %s: %v\n%s", version, err, w.Console())
	}
	s := o.AwaitState("the commit of "+version, 0, committed(to))
	if s.Quarantine != 0 || s.Rollback != "" {
		t.Errorf("%s: %d sets in quarantine, rolled back for %q", version, s.Quarantine, s.Rollback)
	}
}

// blames wants nobody but these to have lost a connection.
func blames(t *testing.T, w *world.World, guilty ...string) {
	t.Helper()
	for _, line := range strings.Split(w.Console(), "\n") {
		_, peer, broke := strings.Cut(line, "peer broke protocol peer=")
		if !broke {
			continue
		}
		innocent := true
		for _, name := range guilty {
			innocent = innocent && !strings.HasPrefix(peer, name+" ")
		}
		if innocent {
			t.Errorf("an innocent lost a connection: %s", line)
		}
	}
}

// TestOpenCallsOfARole has the role status leave as many calls open as it likes, on every connection that it may have. Only its own wait.
func TestOpenCallsOfARole(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	w := shared(t)
	for range 4 {
		client, release, err := facetsOf["ServiceWatch"](ctx, as(t, ctx, w, "status"))
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		defer openVerdicts(ctx, exec.ServiceWatch(client), 200)()
	}
	o := w.Operator()
	updates(t, w, o, "1.1.0", bootctl.B)
	answer, release := o.Services(ctx).List(ctx, nil)
	defer release()
	if _, err := answer.Struct(); err != nil {
		t.Errorf("an operator lists the services: %v", err)
	}
	blames(t, w)
}

// TestSilentObserversOfARole has the role status follow the state with observers that never answer. Whoever else follows it hears of every
// change, the first process among them, and an update goes through.
func TestSilentObserversOfARole(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	w := shared(t)
	for range 4 {
		client, release, err := facetsOf["UpdateStatus"](ctx, as(t, ctx, w, "status"))
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		openFollows(ctx, capupdate.UpdateStatus(client), 130)
	}
	o := w.Operator()
	updates(t, w, o, "1.1.0", bootctl.B)
	updates(t, w, o, "1.2.0", bootctl.A)
	blames(t, w)
}

// TestTooManyCallsOfARole goes over every bound at once: it is the role that is named and cut, nobody else.
func TestTooManyCallsOfARole(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*limit)
	defer cancel()
	w := shared(t)
	o := w.Operator()
	status, release, err := facetsOf["UpdateStatus"](ctx, as(t, ctx, w, "status"))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	openFollows(ctx, capupdate.UpdateStatus(status), 300)
	client, releaseWatch, err := facetsOf["ServiceWatch"](ctx, as(t, ctx, w, "status"))
	if err != nil {
		t.Fatal(err)
	}
	defer releaseWatch()
	go openVerdicts(ctx, exec.ServiceWatch(client), 2000)
	w.Await("initd: [warn] peer broke protocol peer=status reason=too-many-calls", 1)
	updates(t, w, o, "1.1.0", bootctl.B)
	blames(t, w, "status")
}
