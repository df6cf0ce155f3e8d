package bootctl_test

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// watched is a device whose second set was just confirmed and is under watch, with that many attempts.
func watched(t *testing.T, attempts uint8) bootctl.Record {
	t.Helper()
	m := must{t}
	r := m.attempt(m.put(m.update(bootctl.New(), set(1)), set(2)))
	r, err := r.CommitAndWatch(r.Boot, attempts)
	m.ok(err)
	return r
}

func TestWatchBeginsWithTheCommitOfATrial(t *testing.T) {
	m := must{t}
	equal(t, "attempts of a watched set", int((watched(t, 3).WatchLeft)), 3)
	equal(t, "attempts, at least one", int(watched(t, 0).WatchLeft), 1)

	first := m.attempt(m.put(bootctl.New(), set(1)))
	first, err := first.CommitAndWatch(first.Boot, 2)
	m.ok(err)
	equal(t, "watch over a set with nothing before it", int(first.WatchLeft), 0)

	again := m.attempt(m.update(m.update(bootctl.New(), set(1)), set(2)))
	again, err = again.CommitAndWatch(again.Boot, 2)
	m.ok(err)
	equal(t, "watch over a set that was confirmed long ago", int(again.WatchLeft), 0)
}

func TestWatchedSetThatFailsIsLeft(t *testing.T) {
	m := must{t}
	r := watched(t, 2)
	left := r.Active
	next, verdict, err := r.Fail(r.Boot, refusal.CrashLoop, "service hello 1.2.0: ended 3 times")
	m.ok(err)
	equal(t, "verdict", verdict, bootctl.RolledBack)
	equal(t, "active", next.Active, left.Other())
	equal(t, "quarantined", next.IsQuarantined(set(2).Digest), true)
	equal(t, "reason", next.LastRollback.Reason, refusal.CrashLoop)
	equal(t, "watch", int(next.WatchLeft), 0)
	if _, err := next.CommitHealth(r.Boot); refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("the attempt that is left can be committed: %v", err)
	}
}

// A watched set gets its attempts, and not one more; an attempt that is confirmed does not give them back.
func TestWatchedSetMayNotBeginForEver(t *testing.T) {
	m := must{t}
	r := watched(t, 2)
	first, a := r.BootAttempt()
	equal(t, "first attempt is watched", a.Watched, true)
	first, err := first.CommitAndWatch(a.Boot, 2)
	m.ok(err)
	second, a := first.BootAttempt()
	equal(t, "rolled back", a.RolledBack, true)
	equal(t, "slot", a.Slot, r.Active.Other())
	equal(t, "reason", second.LastRollback.Reason, refusal.CrashLoop)
}

func TestWatchEnds(t *testing.T) {
	m := must{t}
	r := watched(t, 2)
	held, err := r.EndWatch(r.Boot)
	m.ok(err)
	equal(t, "watch", int(held.WatchLeft), 0)
	equal(t, "last event", held.History[len(held.History)-1].Op, bootctl.OpHeld)
	if _, verdict, _ := held.Fail(held.Boot, refusal.CrashLoop, ""); verdict != bootctl.Stays {
		t.Errorf("verdict %s, want it to stay", verdict)
	}
	again, err := held.EndWatch(r.Boot)
	m.ok(err)
	equal(t, "ended twice", key(again), key(held))
	if next, err := r.EndWatch(r.Boot + 1); refusal.Of(err) != refusal.WrongBoot || key(next) != key(r) {
		t.Errorf("another attempt ended it: %v", err)
	}
	confirmed, err := r.CommitHealth(r.Boot)
	m.ok(err)
	equal(t, "watch after the same commit again", int(confirmed.WatchLeft), 2)
}

// The sets that a watch is about are both there, or there is none.
func TestWatchNeedsBothSets(t *testing.T) {
	r := watched(t, 2)
	for _, slots := range [][2]bootctl.Content{{r.Slots[0], {}}, {{}, r.Slots[1]}, {set(3), r.Slots[1]}} {
		next, _ := r.Reconcile(slots[0], slots[1], bootctl.Content{})
		equal(t, "watch", int(next.WatchLeft), 0)
	}
}
