package world_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"nexus/capnpgen/bundle"
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
// leave the machine some CPU time.
const attackPause = 20 * time.Millisecond

// The attacks, by what they fill.
const (
	onStatus = "open calls and silent observers" // of the role status
	onStage  = "a stage that hardly moves"       // of the role stage
	onNames  = "watches of names"                // of a bundle
	onCalls  = "calls given up"                  // by a bundle, to another one
)

var allAttacks = []string{onStatus, onStage, onNames, onCalls}

// attack has hostile roles and a hostile bundle do all they can to keep others waiting, in these ways, until the
// returned function is called.
func attack(t testing.TB, w *world.World, ways ...string) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var under sync.WaitGroup
	again := func(attack func()) {
		under.Go(func() {
			for ctx.Err() == nil {
				attack()
				rest(ctx)
			}
		})
	}
	for _, way := range ways {
		switch way {
		case onStatus:
			for range 4 {
				root := as(t, ctx, w, "status")
				under.Go(func() { crowdStatus(ctx, root) })
			}
		case onStage:
			stages := stager(t, ctx, w)
			again(func() { holdStage(ctx, stages) })
		case onNames:
			again(func() { crowdNames(ctx, w) })
		case onCalls:
			again(func() { giveUpCalls(ctx, w) })
		}
	}
	return func() {
		cancel()
		under.Wait()
	}
}

func rest(ctx context.Context) {
	select {
	case <-time.After(attackPause):
	case <-ctx.Done():
	}
}

// crowdStatus leaves calls and observers open.
func crowdStatus(ctx context.Context, root operator.Operator) {
	services, releaseServices := root.Services(ctx, nil)
	defer releaseServices()
	status, releaseStatus := root.Status(ctx, nil)
	defer releaseStatus()
	if _, err := services.Struct(); err != nil {
		return
	}
	if _, err := status.Struct(); err != nil {
		return
	}
	openLists(ctx, services.Services(), 200)
	openFollows(ctx, status.Status(), 130)
	<-ctx.Done()
}

// holdStage begins a stage whenever none is in progress, and sends almost nothing.
func holdStage(ctx context.Context, stages capupdate.UpdateStage) {
	answer, release := stages.Stage(ctx,
		func(p capupdate.UpdateStage_stage_Params) error { p.SetSizeBytes(1 << 20); return nil })
	defer release()
	res, err := answer.Struct()
	if err != nil || convert.Refused(res.Refusal()) != nil {
		return
	}
	for ctx.Err() == nil && send(ctx, res.Sink(), []byte{'s'}) == nil {
		rest(ctx)
	}
}

// crowdNames watches names with observers that never answer.
func crowdNames(ctx context.Context, w *world.World) {
	client, err := w.ConnOf("alpha").Bootstrap(ctx)
	if err != nil {
		return
	}
	defer client.Release()
	for range 100 {
		answer, release := registry.ServiceManager(client).Watch(ctx,
			func(p registry.ServiceManager_watch_Params) error {
				if err := p.SetName("BundleMgr"); err != nil {
					return err
				}
				return p.SetObserver(registry.NameObserver_ServerToClient(sleeper{}))
			})
		defer release()
		if _, err := answer.Struct(); err != nil {
			return
		}
	}
	rest(ctx)
}

// giveUpCalls calls a slow bundle and cancels the calls.
func giveUpCalls(ctx context.Context, w *world.World) {
	client, err := w.ConnOf("alpha").Bootstrap(ctx)
	if err != nil {
		return
	}
	defer client.Release()
	answer, release := registry.ServiceManager(client).Get(ctx,
		func(p registry.ServiceManager_get_Params) error { return p.SetName("bundle/slow") })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return
	}
	call, giveUp := context.WithTimeout(ctx, attackPause)
	defer giveUp()
	for range 100 {
		bundle.BundleMgr(res.Service()).List(call, nil)
	}
	<-call.Done()
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

// BenchmarkAttack compares the time of an update under each attack, and under all of them, with that of one without, in
// turns within one run. It reports the median of the ratios.
func BenchmarkAttack(b *testing.B) {
	for _, way := range allAttacks {
		b.Run(way, func(b *testing.B) { benchmarkAttack(b, way) })
	}
	b.Run("all at once", func(b *testing.B) { benchmarkAttack(b, allAttacks...) })
}

func benchmarkAttack(b *testing.B, ways ...string) {
	w := besieged(b)
	o := w.Operator()
	slot := bootctl.A
	update := func(version string) time.Duration {
		archive := besiegedSet(b, version, 8<<20)
		slot = slot.Other()
		began := time.Now()
		takesUp(b, w, o, archive, slot)
		return time.Since(began)
	}
	var peace, ratios []float64
	for n := 1; b.Loop(); n++ {
		alone := update(fmt.Sprintf("%d.1.0", n))
		end := attack(b, w, ways...)
		time.Sleep(5 * attackPause) // until every bound is reached
		attacked := update(fmt.Sprintf("%d.2.0", n))
		end()
		peace = append(peace, alone.Seconds()*1e3)
		ratios = append(ratios, attacked.Seconds()/alone.Seconds())
	}
	slices.Sort(ratios)
	slices.Sort(peace)
	b.ReportMetric(peace[len(peace)/2], "ms/update")
	b.ReportMetric(ratios[len(ratios)/2], "×attacked")
}
