package world_test

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	capupdate "nexus/capnpgen/update"
	"nexus/daemons/plat"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// limit bounds each wait in these tests.
const limit = 5 * time.Minute

func TestStagedSystemIsGoodForOneSwitch(t *testing.T) {
	_, o := started(t)
	staged, err := o.Stage(set(t, "1.1.0", "serve 1.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	if err := o.Switch(staged); err != nil {
		t.Fatal(err)
	}
	o.AwaitState("the commit", 0, committed(bootctl.B))
	if err := o.Switch(staged); refusal.Of(err) != refusal.Stale {
		t.Errorf("a second switch: %v, want stale", err)
	}
	if s := o.AwaitState("no trial", 0, committed(bootctl.B)); s.Versions[1] != "1.1.0" {
		t.Errorf("got %+v", s)
	}
}

func TestStagingAgainMakesTheOlderStale(t *testing.T) {
	_, o := started(t)
	older, err := o.Stage(set(t, "1.1.0", "serve 1.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer older.Release()
	newer, err := o.Stage(set(t, "1.2.0", "serve 1.2.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Release()
	if err := o.Switch(older); refusal.Of(err) != refusal.Stale {
		t.Errorf("switch to the older stage: %v, want stale", err)
	}
	if err := o.Switch(newer); err != nil {
		t.Fatal(err)
	}
	if s := o.AwaitState("the commit", 0, committed(bootctl.B)); s.Versions[1] != "1.2.0" {
		t.Errorf("got %+v", s)
	}
}

func TestNothingIsStagedDuringATrial(t *testing.T) {
	_, o := started(t)
	update(t, o, set(t, "1.1.0", "start 1.1.0"))
	o.AwaitState("the trial", 0, func(s world.State) bool { return s.Pending == bootctl.B && s.TriesLeft == 1 })
	if _, err := o.Stage(set(t, "1.2.0", "serve 1.2.0")); refusal.Of(err) != refusal.TrialInProgress {
		t.Errorf("staged during a trial: %v", err)
	}
}

// TestWrongArchitectureStagesButNeverRuns has a service for another machine.
func TestWrongArchitectureStagesButNeverRuns(t *testing.T) {
	w, o := started(t)
	other := elf.EM_RISCV
	if plat.Machine() == other {
		other = elf.EM_X86_64
	}
	program := world.Program("serve 1.1.0")
	binary.LittleEndian.PutUint16(program[18:], uint16(other))
	key := updatestest.Key(1)
	staged, err := o.Stage(updatestest.Archive(t, key, "1.1.0",
		updatestest.Bundle("hello", "1.1.0", []string{nxb.AbilityService}, program, key)))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Release()
	if err := o.Switch(staged); refusal.Of(err) != refusal.WrongArchitecture {
		t.Errorf("switch: %v", err)
	}
	if s := o.AwaitState("the state", 0, func(world.State) bool { return true }); s.Active != bootctl.A ||
		s.Staged != bootctl.Staged || !s.HealthOK {
		t.Errorf("got %+v", s)
	}
	if w.Shows("bundlemgrd: slot b active") {
		t.Error("the set was published")
	}
}

// listing returns all names below the system's folder.
func listing(t *testing.T, w *world.World) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(filepath.Join(w.Dir, "system"), func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// half sends half of a set. It returns the sink, and a function that closes the connection.
func half(t *testing.T, o *world.Operator, archive []byte) (capupdate.StageSink, func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	updated, err := o.Updated(ctx)
	if err != nil {
		t.Fatal(err)
	}
	answer, release := updated.StageSystem(ctx, func(p capupdate.Updated_stageSystem_Params) error {
		p.SetSizeBytes(uint64(len(archive)))
		return nil
	})
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	sink := res.Sink().AddRef()
	release()
	updated.Release()
	if err := sink.Write(ctx,
		func(p capupdate.StageSink_write_Params) error { return p.SetBytes(archive[:len(archive)/2]) }); err != nil {
		t.Fatal(err)
	}
	if err := sink.WaitStreaming(); err != nil {
		t.Fatal(err)
	}
	return sink, cancel
}

// TestASenderThatGoesAwayLeavesNothing drops a sink during a stage, by releasing it and by closing the connection.
func TestASenderThatGoesAwayLeavesNothing(t *testing.T) {
	w, o := started(t)
	before := listing(t, w)
	archive := set(t, "1.1.0", "serve 1.1.0")

	sink, cancel := half(t, o, archive)
	sink.Release()
	cancel()
	again(t, o, archive) // once the next stage is accepted, the previous one has been removed
	o.Discard()

	other := w.Operator()
	_, cancel = half(t, other, archive)
	other.Close()
	cancel()
	again(t, o, archive)
	o.Discard()
	if now := listing(t, w); !slices.Equal(now, before) {
		t.Errorf("left behind:\n%v\nbefore:\n%v", now, before)
	}
}

// again stages as soon as the previous stage has ended. It calls between, if given, between two attempts.
func again(t *testing.T, o *world.Operator, archive []byte, between ...func()) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		staged, err := o.Stage(archive)
		if err == nil {
			staged.Release()
			return
		}
		if refusal.Of(err) != refusal.StageInProgress || time.Now().After(deadline) {
			t.Fatal(err)
		}
		for _, f := range between {
			f()
		}
	}
}

// TestASenderThatStallsIsDropped has a sender that keeps its sink and sends nothing more.
func TestASenderThatStallsIsDropped(t *testing.T) {
	w, o := started(t)
	archive := set(t, "1.1.0", "serve 1.1.0")
	sink, cancel := half(t, o, archive)
	defer cancel()
	defer sink.Release()
	if _, err := o.Stage(archive); refusal.Of(err) != refusal.StageInProgress {
		t.Fatalf("a second stage: %v", err)
	}
	again(t, o, archive, func() { w.Clock.Wind(30 * time.Second) })
	w.Await("updated: audit op=stage slot=b version=1.1.0 result=refused reason=stalled", 1)
}

// TestDemandsAreKnownWhenASetIsStaged stages a bundle whose requests the system cannot fulfil: it is refused before a
// slot changes.
func TestDemandsAreKnownWhenASetIsStaged(t *testing.T) {
	w, o := started(t)
	key := updatestest.Key(1)
	bundle := updatestest.Bundle("hello", "1.1.0", []string{nxb.AbilityService}, world.Program("serve 1.1.0"), key)
	for reason, made := range map[refusal.Reason]updatestest.Made{
		refusal.UnknownCapability: bundle.Asking("BundleMgr", "Frobnicate"),
		refusal.SDKTooOld:         bundle.Needing("99.0.0"),
	} {
		if _, err := o.Stage(updatestest.Archive(t, key, "1.1.0", made)); refusal.Of(err) != reason {
			t.Errorf("got %v, want %s", err, reason)
		}
		w.Await("updated: audit op=stage slot=b version=1.1.0 result=refused reason="+string(reason), 1)
	}
	if s := o.AwaitState("the state", 0, func(world.State) bool { return true }); s.Active != bootctl.A ||
		s.Staged != bootctl.None || !s.HealthOK {
		t.Errorf("got %+v", s)
	}
}
