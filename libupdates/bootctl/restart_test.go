package bootctl_test

import (
	"testing"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// TestRestart ends the attempt that was under way, and nothing else.
func TestRestart(t *testing.T) {
	m := must{t}
	r, serial, err := bootctl.New().Stage(set(1))
	m.ok(err)
	r, err = r.Switch(serial, 2)
	m.ok(err)
	equal(t, "without an attempt", key(r.Restart(bootctl.Power)), key(r))

	begun, a := r.BootAttempt()
	next := begun.Restart(bootctl.Power)
	if next.Begun() || next.Boot <= a.Boot || next.Pending != bootctl.B || next.TriesLeft != 1 ||
		len(next.History) != len(begun.History)+1 {
		t.Errorf("from %+v to %+v", begun, next)
	}
	equal(t, "a second time", key(next.Restart(bootctl.Power)), key(next))
	if _, err := next.CommitHealth(a.Boot); refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("a verdict about the boot before: %v", err)
	}
	if _, err := next.CommitHealth(next.Boot); refusal.Of(err) != refusal.WrongBoot {
		t.Errorf("a verdict about no attempt: %v", err)
	}

	committed, err := begun.CommitHealth(a.Boot)
	m.ok(err)
	again := committed.Restart(bootctl.Power)
	if again.HealthOK || again.Active != bootctl.B || !again.Slot(bootctl.B).Good {
		t.Errorf("a confirmed slot after a restart: %+v", again)
	}
}

// A boot has the cause that was seen, unless its beginning was ordered; each is in the history.
func TestCauseOfABoot(t *testing.T) {
	m := must{t}
	r := m.attempt(bootctl.New().Booted(bootctl.Unknown))
	for _, c := range []struct {
		seen    bootctl.Cause
		ordered bool
		want    bootctl.Cause
	}{
		{bootctl.Unknown, false, bootctl.Unknown},
		{bootctl.Crash, false, bootctl.Crash},
		{bootctl.Watchdog, false, bootctl.Watchdog},
		{bootctl.Power, false, bootctl.Power},
		{bootctl.Power, true, bootctl.Commanded},
		{bootctl.Unknown, true, bootctl.Commanded},
		{bootctl.Crash, false, bootctl.Crash}, // the order before has had its boot
		{bootctl.Commanded, false, bootctl.Unknown},
	} {
		if c.ordered {
			r = r.EndBoot()
		}
		r = r.Restart(c.seen)
		equal(t, "cause", r.BootCause, c.want)
		last := r.History[len(r.History)-1]
		equal(t, "event", last, bootctl.Event{Op: bootctl.OpBoot, Reason: refusal.Reason(c.want.String()),
			Boot: r.Boot})
		equal(t, "cause by its name", bootctl.CauseOf(c.want.String()), c.want)
		r = m.attempt(r)
	}
	equal(t, "a name that is none", bootctl.CauseOf("boredom"), bootctl.Unknown)
}

// However often it is ordered, a reboot costs neither a try nor an attempt of a watch; one that nobody ordered costs
// one each.
func TestOrderedEndsCostNothing(t *testing.T) {
	m := must{t}
	trial := m.attempt(m.put(m.update(bootctl.New(), set(1)), set(2)))
	for range 5 {
		trial = m.attempt(trial.EndBoot().Restart(bootctl.Power))
		equal(t, "trial", summary(trial), "b pending a 1")
	}
	under := watched(t, 2)
	for range 5 {
		under = m.attempt(under.EndBoot().Restart(bootctl.Power))
		equal(t, "watch", summary(under), summary(m.attempt(watched(t, 3))))
	}
	under = m.attempt(under.Restart(bootctl.Power))
	equal(t, "attempts left after an abrupt end", int(under.WatchLeft), 1)
	equal(t, "active after one more", m.attempt(under.Restart(bootctl.Power)).Active, under.Standby())
}

// An order is about the attempt under way: one that is begun after it, or that has failed, is not given back.
func TestWhatAnOrderDoesNotGiveBack(t *testing.T) {
	m := must{t}
	trial := m.attempt(m.put(m.update(bootctl.New(), set(1)), set(2)))

	again := m.attempt(trial.EndBoot())
	equal(t, "ordered after another attempt", again.EndOrdered, false)
	equal(t, "tries", int(again.Restart(bootctl.Crash).TriesLeft), 0)

	failed, _, err := trial.Fail(trial.Boot, refusal.ServiceExited, "")
	m.ok(err)
	equal(t, "tries after a failed try", int(failed.EndBoot().Restart(bootctl.Crash).TriesLeft), 1)

	due := m.put(m.update(bootctl.New(), set(1)), set(2))
	equal(t, "tries before the first try", int(due.EndBoot().Restart(bootctl.Crash).TriesLeft), 2)
	equal(t, "a second order", trial.EndBoot().EndBoot(), trial.EndBoot())
}

// A trial costs at most as many boots that nobody ordered as it has tries, and one: the last is that of the set before.
func TestBootsOfATrialAreBounded(t *testing.T) {
	m := must{t}
	before := m.update(bootctl.New(), set(1))
	for tries := uint8(1); tries <= 16; tries++ {
		staged := m.stage(before, set(2))
		r, err := staged.Switch(staged.StageSerial, tries)
		m.ok(err)
		boots := 0
		for r = m.attempt(r); r.Pending != bootctl.None; r = m.attempt(r) {
			r = m.attempt(r.EndBoot().Restart(bootctl.Power)).Restart(bootctl.Crash)
			boots++
		}
		if boots > int(tries)+1 || r.Active != before.Active || r.LastRollback.Reason != refusal.TriesExhausted {
			t.Errorf("%d tries: %d boots, then %s", tries, boots, summary(r))
		}
	}
}

// A confirmed set that takes the machine down again and again waits before it does so the next time. What begins anew
// begins without a pause.
func TestPauseGrows(t *testing.T) {
	m := must{t}
	r := m.update(bootctl.New(), set(1))
	var got []time.Duration
	for range 12 {
		r = r.Restart(bootctl.Crash)
		got = append(got, r.Pause()/time.Second)
		r = m.commit(m.attempt(r))
	}
	equal(t, "pauses", got, []time.Duration{0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60})
	for range 300 {
		r = m.attempt(r.Restart(bootctl.Crash))
	}
	equal(t, "pause after 312 ends", r.Restart(bootctl.Crash).Pause(), time.Minute)

	held, err := r.EndWatch(r.Boot)
	m.ok(err)
	back, err := m.update(r, set(2)).Rollback(refusal.ByOperator, "")
	m.ok(err)
	for name, r := range map[string]bootctl.Record{
		"once it has held": held, "after an ordered end": r.EndBoot(),
		"once another set was confirmed": m.update(r, set(2)),
		"on trial":                       m.put(r, set(2)), "after a return": back,
	} {
		equal(t, "pause "+name, r.Restart(bootctl.Crash).Pause(), time.Duration(0))
	}
	equal(t, "pause under watch", watchedAfter(t, 9).Pause(), time.Duration(0))
}

// watchedAfter is a device with a set under watch that ended that often.
func watchedAfter(t *testing.T, ends int) bootctl.Record {
	r := watched(t, 16)
	for range ends {
		r = must{t}.attempt(r.Restart(bootctl.Crash))
	}
	return r.Restart(bootctl.Crash)
}
