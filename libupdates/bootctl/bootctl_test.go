package bootctl_test

import (
	"reflect"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// Sets the tests use.
func set(n byte) bootctl.Content {
	return bootctl.Content{Digest: bootctl.Digest{n}, Version: "1." + string('0'+n) + ".0"}
}

// must runs steps that a test takes for granted.
type must struct{ t *testing.T }

func (m must) stage(r bootctl.Record, c bootctl.Content) bootctl.Record {
	m.t.Helper()
	next, _, err := r.Stage(c)
	m.ok(err)
	return next
}

func (m must) put(r bootctl.Record, c bootctl.Content) bootctl.Record {
	m.t.Helper()
	r = m.stage(r, c)
	next, err := r.Switch(r.StageSerial, bootctl.DefaultTries)
	m.ok(err)
	return next
}

func (m must) attempt(r bootctl.Record) bootctl.Record {
	next, _ := r.BootAttempt()
	return next
}

func (m must) commit(r bootctl.Record) bootctl.Record {
	m.t.Helper()
	next, err := r.CommitHealth(r.Boot)
	m.ok(err)
	return next
}

func (m must) update(r bootctl.Record, c bootctl.Content) bootctl.Record {
	m.t.Helper()
	return m.commit(m.attempt(m.put(r, c)))
}

func (m must) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// wantReason checks a refusal.
func wantReason(t *testing.T, err error, want refusal.Reason) {
	t.Helper()
	if got := refusal.Of(err); got != want {
		t.Fatalf("got reason %q (%v), want %q", got, err, want)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got  %+v\n want %+v", what, got, want)
	}
}

func TestUpdateAndCommit(t *testing.T) {
	m := must{t}
	r := m.commit(m.attempt(bootctl.New()))
	r = m.stage(r, set(1))
	equal(t, "staged set", r.Staged, set(1))
	equal(t, "the slots are untouched by a stage", r.Slots, [2]bootctl.Content{})
	equal(t, "health is untouched by a stage", r.HealthOK, true)

	r, err := r.Switch(r.StageSerial, 2)
	m.ok(err)
	equal(t, "pending slot", r.Pending, bootctl.B)
	equal(t, "active slot during the trial", r.Active, bootctl.A)

	r, attempt := r.BootAttempt()
	equal(t, "attempt", attempt, bootctl.Attempt{Boot: r.Boot, Slot: bootctl.B, Trial: true, TriesLeft: 1})

	r = m.commit(r)
	equal(t, "active slot", r.Active, bootctl.B)
	equal(t, "pending slot", r.Pending, bootctl.None)
	equal(t, "tries left", r.TriesLeft, uint8(0))
	equal(t, "content is good", r.Slot(bootctl.B).Good, true)
	equal(t, "second commit changes nothing", m.commit(r), r)
}

func TestRollbackOnHealthTimeout(t *testing.T) {
	m := must{t}
	before := m.update(bootctl.New(), set(1))
	trial := m.attempt(m.put(before, set(2)))

	r, verdict, err := trial.Fail(trial.Boot, refusal.HealthTimeout, "service alpha.app 1.2.0: starting")
	m.ok(err)
	equal(t, "verdict", verdict, bootctl.RolledBack)
	equal(t, "active slot", r.Active, before.Active)
	equal(t, "active content", r.Slot(r.Active), before.Slot(before.Active))
	equal(t, "pending slot", r.Pending, bootctl.None)
	equal(t, "health", r.HealthOK, false)
	equal(t, "quarantine", r.Quarantine, []bootctl.Quarantined{{Digest: set(2).Digest, Version: "1.2.0",
		Reason: refusal.HealthTimeout}})
	equal(t, "last rollback", *r.LastRollback, bootctl.Rollback{
		Reason: refusal.HealthTimeout, Detail: "service alpha.app 1.2.0: starting", Digest: set(2).Digest,
		Version: "1.2.0",
	})
	_, _, err = r.Stage(set(2))
	wantReason(t, err, refusal.Quarantined)

	r, attempt := r.BootAttempt()
	equal(t, "next attempt", attempt, bootctl.Attempt{Boot: r.Boot, Slot: before.Active})
}

func TestRollbackWhenTriesRunOut(t *testing.T) {
	m := must{t}
	r := m.attempt(m.attempt(m.put(m.update(bootctl.New(), set(1)), set(2))))
	r, attempt := r.BootAttempt()
	equal(t, "attempt", attempt, bootctl.Attempt{Boot: r.Boot, Slot: bootctl.B, RolledBack: true})
	equal(t, "reason", r.LastRollback.Reason, refusal.TriesExhausted)
}

func TestFailureRetriesWhileTriesAreLeft(t *testing.T) {
	m := must{t}
	trial := m.attempt(m.put(bootctl.New(), set(1)))
	r, verdict, err := trial.Fail(trial.Boot, refusal.ServiceExited, "")
	m.ok(err)
	equal(t, "verdict", verdict, bootctl.Retry)
	equal(t, "tries left", r.TriesLeft, trial.TriesLeft)
	_, err = r.CommitHealth(trial.Boot)
	wantReason(t, err, refusal.WrongBoot)

	r = m.attempt(r)
	r, verdict, err = r.Fail(r.Boot, refusal.ServiceExited, "exit status 3")
	m.ok(err)
	equal(t, "verdict of the last try", verdict, bootctl.RolledBack)
	equal(t, "reason", r.LastRollback.Reason, refusal.ServiceExited)
}

// A verdict counts only for the attempt that was begun last; nothing of a slot has run before its attempt began.
func TestVerdictOnAnotherAttempt(t *testing.T) {
	m := must{t}
	running := m.commit(m.attempt(bootctl.New()))
	switched := m.put(running, set(1))
	trial := m.attempt(switched)
	back, err := trial.Rollback(refusal.ByOperator, "")
	m.ok(err)
	for _, c := range []struct {
		name   string
		record bootctl.Record
		boot   uint64
	}{
		{"before the first attempt", bootctl.New(), 0},
		{"an older attempt", m.attempt(running), running.Boot},
		{"a future attempt", running, running.Boot + 1},
		{"the attempt before a switch", switched, running.Boot},
		{"a switch without an attempt", switched, switched.Boot},
		{"the trial after its rollback", back, trial.Boot},
		{"a rollback without an attempt", back, back.Boot},
	} {
		t.Run(c.name, func(t *testing.T) {
			after, err := c.record.CommitHealth(c.boot)
			wantReason(t, err, refusal.WrongBoot)
			equal(t, "record", after, c.record)
			after, verdict, err := c.record.Fail(c.boot, refusal.HealthTimeout, "")
			wantReason(t, err, refusal.WrongBoot)
			equal(t, "verdict", verdict, bootctl.Verdict(0))
			equal(t, "record", after, c.record)
		})
	}
}

// The beginning of the current attempt is never pushed out of the history: a commit must be possible however much is
// staged meanwhile.
func TestCommitAfterALongHistory(t *testing.T) {
	m := must{t}
	r := m.attempt(bootctl.New())
	for range 3 * bootctl.MaxHistory {
		r = m.stage(r, set(1))
	}
	equal(t, "history length", len(r.History), bootctl.MaxHistory)
	m.commit(r)
}

func TestQuarantineKeepsTheNewest(t *testing.T) {
	m := must{t}
	r := bootctl.New()
	for n := range bootctl.MaxQuarantine + 2 {
		var err error
		r, err = m.put(r, set(byte(n+1))).Rollback(refusal.ByOperator, "")
		m.ok(err)
	}
	equal(t, "length", len(r.Quarantine), bootctl.MaxQuarantine)
	equal(t, "oldest", r.Quarantine[0].Digest, set(3).Digest)
	m.ok(r.Admit(set(2)))
	wantReason(t, r.Admit(set(3)), refusal.Quarantined)
}

// What reaches the record from outside is made storable, not trusted.
func TestHostileTextsAreMadeStorable(t *testing.T) {
	m := must{t}
	trial := m.attempt(m.put(bootctl.New(), set(1)))
	r, err := trial.Rollback("No Code\n", "two\nlines \xff "+string(make([]byte, 1000)))
	m.ok(err)
	equal(t, "reason", r.LastRollback.Reason, refusal.IO)
	if len(r.LastRollback.Detail) > 256 {
		t.Errorf("detail has %d bytes", len(r.LastRollback.Detail))
	}
	raw, err := bootctl.Encode(r)
	m.ok(err)
	_, err = bootctl.Decode(raw)
	m.ok(err)
}
