package world_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/registry"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/updatestest"
)

// besiegedSet returns a set with a hostile bundle, a well-behaved one, a slow one, and enough bytes to make staging
// take a while.
func besiegedSet(t testing.TB, version string, size int) []byte {
	key := updatestest.Key(1)
	native := []string{nxb.AbilityService, nxb.AbilityNative}
	return updatestest.Archive(t, key, version,
		updatestest.Bundle("alpha", version, native, world.Program("serve "+version), key).Asking("BundleMgr",
			"bundle/slow"),
		updatestest.Bundle("beta", version, native, world.Program("serve "+version), key),
		updatestest.Bundle("notes", version, nil, bytes.Repeat([]byte(version), size/len(version)), key),
		updatestest.Bundle("slow", version, native, world.Program("slow "+version), key))
}

// besieged boots a system with sockets for the roles that attack it.
func besieged(t testing.TB) *world.World {
	w := world.New(t)
	w.Share("status")
	w.Share("stage")
	w.Start(besiegedSet(t, "1.0.0", 1<<10), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	return w
}

// attackPause is the pause between two rounds of an attack. An attack reaches every bound again and again, but must
// leave the machine some processor time.
const attackPause = 20 * time.Millisecond

// The attacks, by what they fill.
const (
	onStatus = "open calls and silent observers"    // of the role status
	onReturn = "the same from ever new connections" // of the role status
	onNews   = "observers that answer"              // of the role status
	onStage  = "a stage that hardly moves"          // of the role stage
	onNames  = "watches of names"                   // of a bundle
	onCalls  = "calls given up"                     // by a bundle, to another one
)

var allAttacks = []string{onStatus, onReturn, onNews, onStage, onNames, onCalls}

// An assault is what hostile roles and a hostile bundle do to keep others waiting.
type assault struct {
	ctx     context.Context
	w       *world.World
	stages  capupdate.UpdateStage
	under   sync.WaitGroup // the attackers
	reached sync.WaitGroup // those of them that have not done all they can yet
}

// attack has all attackers do what they can in these ways until the returned function is called. It returns when each
// has filled what it can fill.
func attack(t testing.TB, w *world.World, ways ...string) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	a := &assault{ctx: ctx, w: w}
	if slices.Contains(ways, onStage) {
		a.stages = stager(t, ctx, w)
	}
	with := map[string]struct {
		attackers int
		attack    func(t testing.TB, full func())
	}{
		onStatus: {4, a.crowdStatus}, onReturn: {4, a.returnToStatus}, onNews: {12, a.hearStatus},
		onStage: {1, a.holdStage}, onNames: {1, a.crowdNames}, onCalls: {1, a.giveUpCalls},
	}
	for _, way := range ways {
		for range with[way].attackers {
			a.reached.Add(1)
			full := sync.OnceFunc(a.reached.Done)
			a.under.Go(func() {
				defer full()
				for ctx.Err() == nil {
					with[way].attack(t, full)
					rest(ctx)
				}
			})
		}
	}
	all := make(chan struct{})
	go func() { a.reached.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(limit):
		t.Fatal("an attack never reached its bound")
	}
	return func() {
		cancel()
		a.under.Wait()
	}
}

func rest(ctx context.Context) {
	select {
	case <-time.After(attackPause):
	case <-ctx.Done():
	}
}

// enter connects as the role status until the attack ends or the returned function is called. It returns the facets
// that the role gets.
func (a *assault) enter(t testing.TB) (watch exec.ServiceWatch, status capupdate.UpdateStatus, leave func()) {
	conn := a.w.Dial(t, "status.sock")
	end := context.AfterFunc(a.ctx, conn.Close)
	root, err := conn.Bootstrap(a.ctx)
	if err != nil {
		return watch, status, conn.Close
	}
	services, _ := operator.Operator(root).Services(a.ctx, nil)
	states, _ := operator.Operator(root).Status(a.ctx, nil)
	return services.Services(), states.Status(), func() {
		end()
		conn.Close()
	}
}

// crowdStatus leaves calls and observers open.
func (a *assault) crowdStatus(t testing.TB, full func()) {
	services, status, leave := a.enter(t)
	defer leave()
	await(a.ctx, openLists(a.ctx, services, 200))
	await(a.ctx, openFollows(a.ctx, status, 130))
	full()
	<-a.ctx.Done()
}

// returnToStatus does the same, and then does it again over another connection.
func (a *assault) returnToStatus(t testing.TB, full func()) {
	services, status, leave := a.enter(t)
	defer leave()
	await(a.ctx, openLists(a.ctx, services, 200))
	await(a.ctx, openFollows(a.ctx, status, 130))
	full()
}

// hearStatus has as many observers as it can that answer at once.
func (a *assault) hearStatus(t testing.TB, full func()) {
	_, status, leave := a.enter(t)
	defer leave()
	for range 16 {
		answer, _ := status.Follow(a.ctx, func(p capupdate.UpdateStatus_follow_Params) error {
			return p.SetObserver(capupdate.StatusObserver_ServerToClient(eagerObserver{}))
		})
		await(a.ctx, []*capnp.Future{answer.Future})
	}
	full()
	<-a.ctx.Done()
}

// An eagerObserver answers at once.
type eagerObserver struct{}

func (eagerObserver) OnChanged(context.Context, capupdate.StatusObserver_onChanged) error { return nil }

// holdStage begins a stage whenever none is in progress, and sends almost nothing.
func (a *assault) holdStage(_ testing.TB, full func()) {
	answer, release := a.stages.Stage(a.ctx,
		func(p capupdate.UpdateStage_stage_Params) error { p.SetSizeBytes(1 << 20); return nil })
	defer release()
	res, err := answer.Struct()
	if err != nil || convert.Refused(res.Refusal()) != nil {
		return
	}
	for a.ctx.Err() == nil && send(a.ctx, res.Sink(), []byte{'s'}) == nil {
		full()
		rest(a.ctx)
	}
}

// managerOfAlpha is the ServiceManager that the hostile bundle has.
func (a *assault) managerOfAlpha() (registry.ServiceManager, error) {
	client, err := a.w.ConnOf("alpha").Bootstrap(a.ctx)
	return registry.ServiceManager(client), err
}

// crowdNames watches names with observers that never answer.
func (a *assault) crowdNames(_ testing.TB, full func()) {
	manager, err := a.managerOfAlpha()
	if err != nil {
		return
	}
	defer manager.Release()
	for range 100 {
		answer, release := manager.Watch(a.ctx, func(p registry.ServiceManager_watch_Params) error {
			if err := p.SetName("BundleMgr"); err != nil {
				return err
			}
			return p.SetObserver(registry.NameObserver_ServerToClient(sleeper{}))
		})
		defer release()
		if _, err := answer.Struct(); err != nil {
			break
		}
	}
	full()
	rest(a.ctx)
}

// giveUpCalls calls a slow bundle and cancels the calls.
func (a *assault) giveUpCalls(_ testing.TB, full func()) {
	manager, err := a.managerOfAlpha()
	if err != nil {
		return
	}
	defer manager.Release()
	answer, release := manager.Get(a.ctx,
		func(p registry.ServiceManager_get_Params) error { return p.SetName("bundle/slow") })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return
	}
	call, giveUp := context.WithTimeout(a.ctx, attackPause)
	defer giveUp()
	for range 100 {
		bundle.BundleMgr(res.Service()).List(call, nil)
	}
	<-call.Done()
	full()
}

// takesUp brings a set to its commit while others may hold the stage, as an operator would, and checks that no set was
// rolled back.
func takesUp(t testing.TB, w *world.World, o *world.Operator, archive []byte, to bootctl.Slot) {
	t.Helper()
	if _, err := o.EndStage(); err != nil {
		t.Fatal(err)
	}
	staged, err := o.Stage(archive)
	if err != nil {
		t.Fatalf("cannot stage: %v\n%s", err, w.Console())
	}
	defer staged.Release()
	if err := o.Switch(staged); err != nil {
		t.Fatalf("cannot switch: %v\n%s", err, w.Console())
	}
	s := o.AwaitState("the commit", 0, committed(to))
	if s.Quarantine != 0 || s.Rollback != "" {
		t.Fatalf("%d sets in quarantine, rolled back for %q", s.Quarantine, s.Rollback)
	}
}

// TestUpdatesUnderAttack runs all attacks at once while good updates go through. Their verdicts are the same as without
// an attack, and nobody but the attackers is blamed.
func TestUpdatesUnderAttack(t *testing.T) {
	w := besieged(t)
	o := w.Operator()
	defer attack(t, w, allAttacks...)()
	slot := bootctl.A
	for _, version := range []string{"1.1.0", "1.2.0", "1.3.0", "1.4.0"} {
		slot = slot.Other()
		takesUp(t, w, o, besiegedSet(t, version, 64<<10), slot)
	}
	blames(t, w, "status", "stage", "bundle:alpha")
}
