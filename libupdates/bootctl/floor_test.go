package bootctl_test

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// asking is a set that asks for a floor.
func asking(n byte, version, floor string) bootctl.Content {
	return bootctl.Content{Digest: bootctl.Digest{n}, Version: version, Floor: floor}
}

// switched takes a record through stage, switch and attempt.
func switched(t *testing.T, r bootctl.Record, c bootctl.Content) (bootctl.Record, uint64) {
	t.Helper()
	next, serial, err := r.Stage(c)
	must{t}.ok(err)
	next, err = next.Switch(serial, 2)
	must{t}.ok(err)
	next, a := next.BootAttempt()
	return next, a.Boot
}

// confirmed takes it through the commit as well, without a watch.
func confirmed(t *testing.T, r bootctl.Record, c bootctl.Content) bootctl.Record {
	t.Helper()
	next, boot := switched(t, r, c)
	next, err := next.CommitHealth(boot)
	must{t}.ok(err)
	return next
}

func TestTheFloorRisesWithWhatIsConfirmedForGood(t *testing.T) {
	m := must{t}
	r := confirmed(t, bootctl.New(), asking(1, "1.0.0", ""))
	equal(t, "a set that asks for none", r.Floor, "")

	r, boot := switched(t, r, asking(2, "1.2.0", "1.1.0"))
	equal(t, "during a trial", r.Floor, "")
	watched, err := r.CommitAndWatch(boot, 2)
	m.ok(err)
	equal(t, "under watch", watched.Floor, "")
	held, err := watched.EndWatch(boot)
	m.ok(err)
	equal(t, "after the watch", held.Floor, "1.1.0")
	equal(t, "the last event", held.History[len(held.History)-1].Op, bootctl.OpFloor)
	staged, serial, err := watched.Stage(asking(3, "1.1.0", ""))
	m.ok(err)
	equal(t, "with a set staged beside the watch", staged.Floor, "")
	over, err := staged.Switch(serial, 2)
	m.ok(err)
	equal(t, "when a switch ends the watch", over.Floor, "1.1.0")
	if next, _, err := watched.Stage(asking(3, "1.0.9", "")); refusal.Of(err) != refusal.VersionFloor ||
		key(next) != key(watched) {
		t.Errorf("a set below the floor that its own switch would raise: %v, %+v", err, next)
	}
	failed, _, err := watched.Fail(boot, refusal.CrashLoop, "")
	m.ok(err)
	equal(t, "after a rollback from the watch", failed.Floor, "")
	equal(t, "what runs then", failed.Slot(failed.Active).Version, "1.0.0")
}

func TestTheFloorNeverSinksByItself(t *testing.T) {
	r := confirmed(t, bootctl.New(), asking(1, "2.0.0", "2.0.0"))
	r = confirmed(t, r, asking(2, "3.0.0", "1.0.0"))
	equal(t, "floor", r.Floor, "2.0.0")
	r = confirmed(t, r, asking(3, "2.5.0", "9.0.0"))
	equal(t, "a set that asks for more than itself", r.Floor, "2.0.0")
}

func TestBelowTheFloor(t *testing.T) {
	r := confirmed(t, bootctl.New(), asking(1, "1.2.0-rc.1", "1.2.0-rc.1"))
	for version, refused := range map[string]bool{
		"1.1.9": true, "1.2.0-alpha": true, "1.2.0-rc.0": true, "0.9.0": true, "no version": true,
		"1.2.0-rc.1": false, "1.2.0-rc.1+build": false, "1.2.0-rc.2": false, "1.2.0": false, "1.10.0": false,
	} {
		c := asking(7, version, "")
		_, _, err := r.Stage(c)
		if got := refusal.Of(err) == refusal.VersionFloor; got != refused || (err != nil) != refused {
			t.Errorf("%s over a floor of %s: %v", version, r.Floor, err)
		}
		if err := r.AdmitFactory(c); (err != nil) != refused {
			t.Errorf("%s as a factory set: %v", version, err)
		}
	}
	if _, err := r.Rollback(refusal.ByOperator, ""); refusal.Of(err) != refusal.NoPrevious {
		t.Errorf("got %v", err)
	}
}

// What was staged before the floor rose is not switched to after it.
func TestTheFloorRisesOverWhatIsStaged(t *testing.T) {
	m := must{t}
	first, boot := switched(t, bootctl.New(), asking(2, "2.0.0", "2.0.0"))
	r, err := first.CommitHealth(boot)
	m.ok(err)
	lowered, err := r.LowerFloor("")
	m.ok(err)
	staged, serial, err := lowered.Stage(asking(1, "1.0.0", ""))
	m.ok(err)
	again, a := staged.BootAttempt()
	again, err = again.CommitHealth(a.Boot)
	m.ok(err)
	equal(t, "floor", again.Floor, "2.0.0")
	equal(t, "staged", again.Staged, bootctl.Content{})
	_, err = again.Switch(serial, 2)
	wantReason(t, err, refusal.Stale)
}

func TestNoReturnBelowTheFloor(t *testing.T) {
	m := must{t}
	r := confirmed(t, bootctl.New(), asking(1, "1.0.0", ""))
	r = confirmed(t, r, asking(2, "2.0.0", "2.0.0"))
	_, err := r.Rollback(refusal.ByOperator, "")
	wantReason(t, err, refusal.NoPrevious)
	lowered, err := r.LowerFloor("1.0.0")
	m.ok(err)
	back, err := lowered.Rollback(refusal.ByOperator, "")
	m.ok(err)
	equal(t, "what runs", back.Slot(back.Active).Version, "1.0.0")
}

func TestLowerFloor(t *testing.T) {
	m := must{t}
	_, err := bootctl.New().LowerFloor("")
	wantReason(t, err, refusal.FloorNotLower)
	r := confirmed(t, bootctl.New(), asking(1, "2.0.0", "2.0.0"))
	for version, reason := range map[string]refusal.Reason{
		"2.0.0": refusal.FloorNotLower, "2.0.0+build": refusal.FloorNotLower, "3.0.0": refusal.FloorNotLower,
		"2": refusal.BadVersion, "v1.0.0": refusal.BadVersion, "1.0.0\n": refusal.BadVersion,
	} {
		next, err := r.LowerFloor(version)
		wantReason(t, err, reason)
		equal(t, "after a refusal", key(next), key(r))
	}
	lowered, err := r.LowerFloor("1.9.0")
	m.ok(err)
	equal(t, "floor", lowered.Floor, "1.9.0")
	equal(t, "read again", decode(t, encode(t, lowered)).Floor, "1.9.0")
	gone, err := lowered.LowerFloor("")
	m.ok(err)
	equal(t, "floor", gone.Floor, "")
	again, a := gone.BootAttempt()
	again, err = again.CommitHealth(a.Boot)
	m.ok(err)
	equal(t, "when the set is confirmed again", again.Floor, "2.0.0")
}

func TestDamage(t *testing.T) {
	m := must{t}
	base := confirmed(t, confirmed(t, bootctl.New(), asking(1, "1.0.0", "")), asking(2, "2.0.0", ""))
	damage := func(r bootctl.Record, s bootctl.Slot) bootctl.Record {
		t.Helper()
		next, err := r.Damage(s, refusal.DigestMismatch, "digest mismatch in x")
		m.ok(err)
		equal(t, "read again", key(decode(t, encode(t, next))), key(next))
		return next
	}

	back := damage(base, base.Active)
	equal(t, "with a good set beside it", back.Active, base.Standby())
	equal(t, "the reason", back.LastRollback.Reason, refusal.DigestMismatch)
	equal(t, "quarantine: the set is not to blame", len(back.Quarantine), 0)
	_, err := back.Rollback(refusal.ByOperator, "")
	wantReason(t, err, refusal.NoPrevious)

	alone := damage(damage(base, base.Standby()), base.Active)
	equal(t, "with nothing to return to", alone.Active, base.Active)

	staged, serial, err := base.Stage(asking(3, "3.0.0", ""))
	m.ok(err)
	hurt := damage(staged, bootctl.Staged)
	_, err = hurt.Switch(serial, 2)
	wantReason(t, err, refusal.Stale)
	mended, serial, err := hurt.Stage(asking(3, "3.0.0", ""))
	m.ok(err)
	_, err = mended.Switch(serial, 2)
	m.ok(err)

	trial, boot := switched(t, base, asking(3, "3.0.0", ""))
	over := damage(trial, trial.Pending)
	equal(t, "a trial", over.Pending, bootctl.None)
	_, err = over.CommitHealth(boot)
	wantReason(t, err, refusal.WrongBoot)

	watched, err := trial.CommitAndWatch(boot, 2)
	m.ok(err)
	equal(t, "a watch with nothing to return to", damage(watched, watched.Standby()).WatchLeft, uint8(0))

	_, err = bootctl.New().Damage(bootctl.A, refusal.DigestMismatch, "")
	wantReason(t, err, refusal.SlotMismatch)
	equal(t, "found intact again", alone.Mended(alone.Active).Slot(alone.Active).Damage, refusal.Reason(""))
	equal(t, "without a mark", key(base.Mended(base.Active)), key(base))
}

func decode(t *testing.T, raw []byte) bootctl.Record {
	t.Helper()
	r, err := bootctl.Decode(raw)
	must{t}.ok(err)
	return r
}

// Numbers of more than 64 bits are numbers: nothing passes below the floor, or lowers it, by being compared as a text.
func TestTheFloorComparesNumbersOfAnyLength(t *testing.T) {
	const shorter, longer = "1.0.0-99999999999999999999", "1.0.0-100000000000000000000"
	r := confirmed(t, bootctl.New(), asking(1, longer, longer))
	equal(t, "the floor", r.Floor, longer)
	if _, _, err := r.Stage(asking(2, shorter, "")); refusal.Of(err) != refusal.VersionFloor {
		t.Errorf("a set below the floor: %v", err)
	}
	if _, _, err := r.Stage(asking(2, "100000000000000000000.0.0", "")); err != nil {
		t.Errorf("a set above the floor: %v", err)
	}
	lower, err := r.LowerFloor(shorter)
	must{t}.ok(err)
	if _, err := lower.LowerFloor(longer); refusal.Of(err) != refusal.FloorNotLower {
		t.Errorf("raised by lowering: %v", err)
	}
}
