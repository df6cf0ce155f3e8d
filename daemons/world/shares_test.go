package world_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/exec"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/updatestest"
)

// A silentObserver never answers.
type silentObserver struct{ asked atomic.Int32 }

func (s *silentObserver) OnChanged(ctx context.Context, call capupdate.StatusObserver_onChanged) error {
	call.Go()
	s.asked.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

// openLists lists the services count times and keeps all answers. It returns what to wait for until they are there.
func openLists(ctx context.Context, services exec.ServiceWatch, count int) (answers []*capnp.Future) {
	for range count {
		answer, _ := services.List(ctx, nil)
		answers = append(answers, answer.Future)
	}
	return answers
}

// await waits for answers, whatever they are.
func await(ctx context.Context, answers []*capnp.Future) {
	for _, answer := range answers {
		select {
		case <-answer.Done():
		case <-ctx.Done():
		}
	}
}

// openWaits waits count times for the end of a program that does not end.
func openWaits(ctx context.Context, process exec.Process, count int) {
	for range count {
		process.Wait(ctx, nil)
	}
}

// openFollows subscribes count observers that never answer. It returns what to wait for until each has its place, or
// none.
func openFollows(ctx context.Context, status capupdate.UpdateStatus, count int) (answers []*capnp.Future) {
	for range count {
		answer, _ := status.Follow(ctx, func(p capupdate.UpdateStatus_follow_Params) error {
			return p.SetObserver(capupdate.StatusObserver_ServerToClient(&silentObserver{}))
		})
		answers = append(answers, answer.Future)
	}
	return answers
}

// updates brings a set through stage, switch and commit, and checks that no set was rolled back because of what others
// do meanwhile.
func updates(t testing.TB, w *world.World, o *world.Operator, version string, to bootctl.Slot) {
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

// blames checks that only these peers have lost a connection.
func blames(t testing.TB, w *world.World, guilty ...string) {
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

// TestOpenCallsOfARole has the role status leave as many calls open as it can, on all connections that it may have.
// Only its own calls wait.
func TestOpenCallsOfARole(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	w := shared(t)
	for range 4 {
		client, release, err := facetsOf["ServiceWatch"](ctx, as(t, ctx, w, "status"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		openLists(ctx, exec.ServiceWatch(client), 200)
	}
	o := w.Operator()
	updates(t, w, o, "1.1.0", bootctl.B)
	answer, release := o.ServiceWatch(ctx).List(ctx, nil)
	defer release()
	if _, err := answer.Struct(); err != nil {
		t.Errorf("an operator lists the services: %v", err)
	}
	blames(t, w)
}

// TestSilentObserversOfARole has the role status follow the state with observers that never answer. All other
// observers, including initd's, see every change, and an update goes through.
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

// TestTooManyCallsOfARole exceeds every bound at once: only the peer that does so is named and disconnected.
func TestTooManyCallsOfARole(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*limit)
	defer cancel()
	key := updatestest.Key(1)
	w := world.New(t)
	w.Share("status")
	w.Start(updatestest.Archive(t, key, "1.0.0",
		updatestest.Bundle("tool", "1.0.0", []string{nxb.AbilityMain}, world.Program("plain"), key)), key.Public())
	w.Await("init: health ok (slot a)", 1)
	o := w.Operator()
	status, release, err := facetsOf["UpdateStatus"](ctx, as(t, ctx, w, "status"))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	openFollows(ctx, capupdate.UpdateStatus(status), 300)
	runner, releaseExec := as(t, ctx, w, "control").Exec(ctx, nil)
	defer releaseExec()
	run, releaseRun := runner.Exec().Run(ctx, func(p exec.Exec_run_Params) error { return p.SetBundle("tool") })
	defer releaseRun()
	if _, err := run.Struct(); err != nil {
		t.Fatal(err)
	}
	go openWaits(ctx, run.Process(), 2000)
	w.Await("initd: [warn] peer broke protocol peer=operator reason=too-many-calls", 1)
	updates(t, w, o, "1.1.0", bootctl.B)
	blames(t, w, "operator")
}

// TestFollowersOfOneClient has one connection subscribe as many observers as it can: each change costs an update what
// it takes to tell all of them. Another connection has places of its own.
func TestFollowersOfOneClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	for range 2 {
		client, release, err := facetsOf["UpdateStatus"](ctx, as(t, ctx, w, "status"))
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		places := 0
		for _, answer := range openFollows(ctx, capupdate.UpdateStatus(client), 20) {
			switch _, err := answer.Struct(); {
			case err == nil:
				places++
			case !exc.IsType(err, exc.Overloaded):
				t.Errorf("refused as %v, want overloaded", err)
			}
		}
		if places != 4 {
			t.Errorf("%d observers follow, want 4", places)
		}
	}
}
