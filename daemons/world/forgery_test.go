package world_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/registry"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/convert"
	lookup "nexus/daemons/discovery"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// unmoved checks that a failed attempt did not change the state.
func unmoved(t *testing.T, o *world.Operator, before world.State, what string) {
	t.Helper()
	if now := stateNow(o); !reflect.DeepEqual(now, before) {
		t.Errorf("%s: the state is %+v, was %+v", what, now, before)
	}
}

// stateNow returns the state as soon as it is available.
func stateNow(o *world.Operator) world.State {
	return o.AwaitState("the state", 0, func(world.State) bool { return true })
}

// describes asks a StagedSystem for its description; nil means that it is still valid.
func describes(ctx context.Context, system capupdate.StagedSystem) error {
	answer, release := system.Describe(ctx, nil)
	defer release()
	_, err := answer.Struct()
	return err
}

// TestNoSwitchWithoutAVerifiedStage checks that only a completely staged set yields a StagedSystem: a refused set does
// not, a half-sent one does not, and before a stage there is none to take up.
func TestNoSwitchWithoutAVerifiedStage(t *testing.T) {
	_, o := started(t)
	before := stateNow(o)
	if _, err := o.Staged(); refusal.Of(err) != refusal.NothingStaged {
		t.Errorf("taken up before a stage: %v, want nothing-staged", err)
	}
	archive := set(t, "1.1.0", "serve 1.1.0")
	damaged := slices.Clone(archive)
	damaged[slices.Index(damaged, 's')+len("system.nxsindex")+512] ^= 1 // the first block of the index
	for name, sent := range map[string][]byte{"damaged": damaged, "cut short": archive[:len(archive)/2]} {
		if system, err := o.Stage(sent); refusal.Of(err) == "" || system.IsValid() {
			t.Errorf("a set that is %s: %v, want a refusal and no StagedSystem", name, err)
		}
		if _, err := o.Staged(); refusal.Of(err) != refusal.NothingStaged {
			t.Errorf("taken up after a set that is %s: %v, want nothing-staged", name, err)
		}
	}
	unmoved(t, o, before, "no verified stage")
}

// TestASwitchAheadOfItsStageIsNone pipelines a switch on done, for an archive that was only half sent: the promise
// resolves to no capability, and nothing that was sent remains.
func TestASwitchAheadOfItsStageIsNone(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, o := started(t)
	before := stateNow(o)
	attacker := w.Operator()
	sink, end := half(t, attacker, set(t, "1.1.0", "serve 1.1.0"))
	defer end()
	done, releaseDone := sink.Done(ctx, nil)
	defer releaseDone()
	ahead, releaseAhead := done.System().Switch(ctx, nil)
	defer releaseAhead()
	if _, err := ahead.Struct(); err == nil || !strings.Contains(err.Error(), "the answer holds no capability there") {
		t.Errorf("a switch ahead of its stage: %v, want no capability", err)
	}
	sink.Release()
	o.AwaitState("the end of the stage", 0, func(s world.State) bool { return reflect.DeepEqual(s, before) })
	again(t, o, set(t, "1.1.0", "serve 1.1.0"))
}

// TestDiscardedSystemIsStale uses a StagedSystem after it was discarded through another reference.
func TestDiscardedSystemIsStale(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, o := started(t)
	kept, err := o.Stage(set(t, "1.1.0", "serve 1.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Release()
	o.Discard()
	before := stateNow(o)
	if err := o.Switch(kept); refusal.Of(err) != refusal.Stale {
		t.Errorf("switch: %v, want stale", err)
	}
	if err := o.TryDiscard(kept); refusal.Of(err) != refusal.Stale {
		t.Errorf("discard: %v, want stale", err)
	}
	if err := describes(ctx, kept); refusal.Of(convert.Excepted(err)) != refusal.Stale {
		t.Errorf("describe: %v, want stale", err)
	}
	unmoved(t, o, before, "a discarded set")
}

// TestTheSameSetStagedAgainIsAnotherStage stages the same bytes twice: a StagedSystem is valid for its own stage, not
// for any with the same digest.
func TestTheSameSetStagedAgainIsAnotherStage(t *testing.T) {
	_, o := started(t)
	archive := set(t, "1.1.0", "serve 1.1.0")
	older, err := o.Stage(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer older.Release()
	o.Discard()
	newer, err := o.Stage(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Release()
	before := stateNow(o)
	if err := o.Switch(older); refusal.Of(err) != refusal.Stale {
		t.Errorf("switch by the older stage: %v, want stale", err)
	}
	unmoved(t, o, before, "the older stage")
	if err := o.Switch(newer); err != nil {
		t.Errorf("switch by the newer stage: %v", err)
	}
}

// TestOneOfManySwitchesCounts has all holders of one StagedSystem switch at once.
func TestOneOfManySwitchesCounts(t *testing.T) {
	_, o := started(t)
	staged, err := o.Stage(set(t, "1.1.0", "serve 1.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	const holders = 16
	outcomes := make([]error, holders)
	var all sync.WaitGroup
	for i := range holders {
		all.Go(func() { outcomes[i] = o.Switch(staged) })
	}
	all.Wait()
	switched := 0
	for _, err := range outcomes {
		switch refusal.Of(err) {
		case "":
			switched++
		case refusal.Stale, refusal.TrialInProgress:
		default:
			t.Errorf("a further switch: %v, want stale or trial-in-progress", err)
		}
	}
	if switched != 1 {
		t.Errorf("%d of %d switches counted, want 1", switched, holders)
	}
}

// TestStagedSystemEndsWithItsUpdated keeps a StagedSystem across a restart of updated: the capability is dead, but the
// stage is not, and a client that may stage takes it up again.
func TestStagedSystemEndsWithItsUpdated(t *testing.T) {
	w, o := started(t)
	kept, err := o.Stage(set(t, "1.1.0", "serve 1.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Release()
	before := stateNow(o)
	w.Kill("updated")
	o.AwaitState("updated's next instance", 50*time.Millisecond, func(s world.State) bool { return reflect.DeepEqual(s, before) })
	if err := o.Switch(kept); !vat.Disconnected(err) {
		t.Errorf("switch: %v, want disconnected", err)
	}
	unmoved(t, o, before, "a StagedSystem of an earlier instance")
	taken, err := o.Staged()
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Release()
	if err := o.SwitchAgain(taken, 50*time.Millisecond); err != nil {
		t.Errorf("switch by what was taken up: %v", err)
	}
}

// commits returns the raw calls of HealthGate, with the number of the current attempt.
func commits(boot uint64) map[string]capnp.Send {
	number := func(at capnp.Struct) error {
		at.SetUint64(0, boot)
		return nil
	}
	calls := map[string]capnp.Send{}
	for ordinal, name := range []string{"bootAttempt", "healthOk", "healthFailed", "watchOver"} {
		calls[name] = capnp.Send{
			Method:    capnp.Method{InterfaceID: capupdate.HealthGate_TypeID, MethodID: uint16(ordinal)},
			ArgsSize:  capnp.ObjectSize{DataSize: 16, PointerCount: 2},
			PlaceArgs: number,
		}
	}
	return calls
}

// TestNobodyElseCommits tries the calls of HealthGate during a trial, with the right number, on everything that the
// operator and the selftest hold: none of it has such a method, and the trial goes on.
func TestNobodyElseCommits(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, b := visited(t)
	o := w.Operator()
	update(t, o, set(t, "1.1.0", "start 1.1.0"))
	on := o.AwaitState("the trial", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 1 })

	held := map[string]capnp.Client{"the selftest's Updated": capnp.Client(updatedOf(t, ctx, w, b))}
	for _, facet := range []string{"LogSink", "ServiceManager", "HealthVote"} {
		client, err := b.Use(facet).Get(ctx)
		if err != nil {
			t.Fatal(err)
		}
		held["the selftest's "+facet] = client
	}
	updated, err := o.Updated(ctx)
	if err != nil {
		t.Fatal(err)
	}
	held["the operator's Updated"] = capnp.Client(updated)
	before := stateNow(o)
	for what, client := range held {
		for name, call := range commits(on.Boot) {
			answer, release := client.SendCall(ctx, call)
			if _, err := answer.Struct(); !exc.IsType(err, exc.Unimplemented) {
				t.Errorf("%s on %s: %v, want unimplemented", name, what, err)
			}
			release()
		}
		client.Release()
	}
	unmoved(t, o, before, "commits by others")
	if w.Shows("init: health ok (slot b)") {
		t.Error("a client other than initd committed")
	}
}

// TestWhatWasHandedOnEndsWithTheGrant passes a StagedSystem and a narrower ServiceManager on to a process that initd
// does not know of. Both work there until initd revokes, from the process that passed them on, the grants that they
// came from.
func TestWhatWasHandedOnEndsWithTheGrant(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w, b := visited(t)
	o := w.Operator()
	staged, err := o.Stage(set(t, "1.1.0", "serve 1.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	staged.Release()
	updated := updatedOf(t, ctx, w, b)
	defer updated.Release()
	answer, release := updated.Staged(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	friend := capupdate.StagedSystem(vattest.Link(t, capnp.Client(res.System().AddRef())))
	manager, err := b.Use("ServiceManager").Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Release()
	less, releaseLess := registry.ServiceManager(manager).Attenuate(ctx,
		func(p registry.ServiceManager_attenuate_Params) error {
			list, err := p.NewNames(2)
			if err != nil {
				return err
			}
			list.Set(0, "BundleMgr")
			return list.Set(1, "HealthGate") // asking for a name does not grant it
		})
	defer releaseLess()
	narrow, err := less.Struct()
	if err != nil {
		t.Fatal(err)
	}
	names := registry.ServiceManager(vattest.Link(t, capnp.Client(narrow.Manager().AddRef())))
	if err := describes(ctx, friend); err != nil {
		t.Fatalf("the StagedSystem that was passed on does not work: %v", err)
	}
	for name, granted := range map[string]bool{"BundleMgr": true, "Updated": false, "HealthGate": false} {
		if _, err := get(ctx, names, name, false); (err == nil) != granted {
			t.Errorf("the narrower ServiceManager finds %s: %v, want %t", name, err, granted)
		}
	}

	before := stateNow(o)
	if err := o.Revoke("selftest", "Updated"); err != nil {
		t.Fatal(err)
	}
	b.Use(lookup.Facet("Updated")).Lost(ctx, capnp.Client(updated))
	b.Use("ServiceManager").Lost(ctx, manager)
	if err := o.Switch(friend); !vat.Disconnected(err) {
		t.Errorf("switch by the friend: %v, want disconnected", err)
	}
	if _, err := get(ctx, names, "BundleMgr", false); !vat.Disconnected(err) {
		t.Errorf("a name found by the friend: %v, want disconnected", err)
	}
	unmoved(t, o, before, "a revoked capability")
	taken, err := o.Staged() // the stage is available to those who were not cut
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Release()
	if err := o.Switch(taken); err != nil {
		t.Errorf("switch by the operator: %v", err)
	}
}
