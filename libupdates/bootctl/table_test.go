package bootctl_test

import (
	"reflect"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// states are the kinds of state a record can be in. Set 1 is confirmed in slot a, set 2 is the other one, set 9 is
// quarantined.
func states(t *testing.T) map[string]bootctl.Record {
	m := must{t}
	fresh, _ := bootctl.New().Reconcile(set(1), bootctl.Content{}, bootctl.Content{})
	confirmed := m.commit(m.attempt(fresh))
	confirmed, err := m.put(confirmed, set(9)).Rollback(refusal.ByOperator, "")
	m.ok(err)
	confirmed = m.commit(m.attempt(confirmed))
	staged := m.stage(confirmed, set(2))
	switched := m.put(confirmed, set(2))
	updated := m.commit(m.attempt(switched))
	tried := m.attempt(switched)
	watched, err := tried.CommitAndWatch(tried.Boot, 2)
	m.ok(err)
	failed, _, err := tried.Fail(tried.Boot, refusal.ServiceExited, "")
	m.ok(err)
	return map[string]bootctl.Record{
		"empty":        bootctl.New(),
		"unconfirmed":  m.attempt(confirmed),
		"confirmed":    confirmed,
		"staged":       staged,
		"switched":     switched,
		"first try":    tried,
		"failed try":   failed,
		"last try":     m.attempt(m.attempt(switched)),
		"watched":      watched,
		"in its watch": m.attempt(watched),
		"updated":      updated,
		"staged again": m.stage(updated, set(3)),
		"beside watch": m.stage(watched, set(3)),
	}
}

// operations are applied to each state; want gives the outcome: a refusal's reason, or a summary of the record.
var operations = []struct {
	name string
	do   func(bootctl.Record) (bootctl.Record, error)
}{
	{"stage", func(r bootctl.Record) (bootctl.Record, error) { r, _, err := r.Stage(set(4)); return r, err }},
	{"stage quarantined", func(r bootctl.Record) (bootctl.Record, error) {
		r, _, err := r.Stage(set(9))
		return r,
			err
	}},
	{"stage nothing", func(r bootctl.Record) (bootctl.Record, error) {
		r, _,
			err := r.Stage(bootctl.Content{})
		return r, err
	}},
	{"discard", func(r bootctl.Record) (bootctl.Record, error) { return r.Discard(r.StageSerial) }},
	{"discard older", func(r bootctl.Record) (bootctl.Record, error) { return r.Discard(r.StageSerial - 1) }},
	{"switch", func(r bootctl.Record) (bootctl.Record, error) { return r.Switch(r.StageSerial, 2) }},
	{"switch older", func(r bootctl.Record) (bootctl.Record, error) { return r.Switch(r.StageSerial-1, 2) }},
	{"attempt", func(r bootctl.Record) (bootctl.Record, error) { r, _ = r.BootAttempt(); return r, nil }},
	{"commit", func(r bootctl.Record) (bootctl.Record, error) { return r.CommitHealth(r.Boot) }},
	{"fail", func(r bootctl.Record) (bootctl.Record, error) {
		r, _, err := r.Fail(r.Boot, refusal.ServiceExited, "")
		return r, err
	}},
	{"time out", func(r bootctl.Record) (bootctl.Record, error) {
		r, _, err := r.Fail(r.Boot, refusal.HealthTimeout, "")
		return r, err
	}},
	{"roll back", func(r bootctl.Record) (bootctl.Record, error) { return r.Rollback(refusal.ByOperator, "") }},
	{"abrupt end", func(r bootctl.Record) (bootctl.Record, error) { return r.Restart(bootctl.Power), nil }},
	{"ordered end", func(r bootctl.Record) (bootctl.Record, error) { return r.EndBoot().Restart(bootctl.Power), nil }},
	{"clear", func(r bootctl.Record) (bootctl.Record, error) { return r.ClearQuarantine(set(9).Digest) }},
	{"clear unknown", func(r bootctl.Record) (bootctl.Record, error) { return r.ClearQuarantine(set(8).Digest) }},
}

// truth says what each operation does to each state: "reason" of a refusal, "=" for accepted without a change, or what
// it leaves: active slot, pending slot with tries, staged set, attempts of a watch, "ok" when confirmed, and "q" with
// the number of quarantined sets.
var truth = map[string]map[string]string{
	"empty": {
		"stage": "a staged 4", "stage quarantined": "a staged 9", "stage nothing": "bad-index",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "a", "commit": "wrong-boot", "fail": "wrong-boot", "time out": "wrong-boot",
		"roll back": "no-previous", "clear": "not-quarantined", "clear unknown": "not-quarantined",
		"abrupt end": "a", "ordered end": "a",
	},
	"unconfirmed": {
		"stage": "a staged 4 q1", "stage quarantined": "quarantined", "stage nothing": "bad-index",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "a q1", "commit": "a ok q1", "fail": "=", "time out": "=",
		"roll back": "no-previous", "clear": "a", "clear unknown": "not-quarantined",
		"abrupt end": "a q1", "ordered end": "a q1",
	},
	"confirmed": {
		"stage": "a staged 4 ok q1", "stage quarantined": "quarantined", "stage nothing": "bad-index",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "a q1", "commit": "=", "fail": "a q1", "time out": "a q1",
		"roll back": "no-previous", "clear": "a ok", "clear unknown": "not-quarantined",
		"abrupt end": "a q1", "ordered end": "a q1",
	},
	"staged": {
		"stage": "a staged 4 ok q1", "stage quarantined": "quarantined", "stage nothing": "bad-index",
		"discard": "a ok q1", "discard older": "stale", "switch": "a pending b 2 q1", "switch older": "stale",
		"attempt": "a staged 2 q1", "commit": "=", "fail": "a staged 2 q1", "time out": "a staged 2 q1",
		"roll back": "no-previous", "clear": "a staged 2 ok", "clear unknown": "not-quarantined",
		"abrupt end": "a staged 2 q1", "ordered end": "a staged 2 q1",
	},
	"switched": {
		"stage": "trial-in-progress", "stage quarantined": "trial-in-progress", "stage nothing": "trial-in-progress",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "a pending b 1 q1", "commit": "wrong-boot", "fail": "wrong-boot", "time out": "wrong-boot",
		"roll back": "a q2", "clear": "a pending b 2", "clear unknown": "not-quarantined",
		"abrupt end": "a pending b 2 q1", "ordered end": "a pending b 2 q1",
	},
	"first try": {
		"stage": "trial-in-progress", "stage quarantined": "trial-in-progress", "stage nothing": "trial-in-progress",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "a pending b 0 q1", "commit": "b ok q1", "fail": "a pending b 1 q1", "time out": "a q2",
		"roll back": "a q2", "clear": "a pending b 1", "clear unknown": "not-quarantined",
		"abrupt end": "a pending b 1 q1", "ordered end": "a pending b 2 q1",
	},
	"failed try": {
		"stage": "trial-in-progress", "stage quarantined": "trial-in-progress", "stage nothing": "trial-in-progress",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "a pending b 0 q1", "commit": "wrong-boot", "fail": "wrong-boot", "time out": "wrong-boot",
		"roll back": "a q2", "clear": "a pending b 1", "clear unknown": "not-quarantined",
		"abrupt end": "a pending b 1 q1", "ordered end": "a pending b 1 q1",
	},
	"last try": {
		"stage": "trial-in-progress", "stage quarantined": "trial-in-progress", "stage nothing": "trial-in-progress",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "a q2", "commit": "b ok q1", "fail": "a q2", "time out": "a q2",
		"roll back": "a q2", "clear": "a pending b 0", "clear unknown": "not-quarantined",
		"abrupt end": "a pending b 0 q1", "ordered end": "a pending b 1 q1",
	},
	"watched": {
		"stage": "b staged 4 ok watched 2 q1", "stage quarantined": "quarantined", "stage nothing": "bad-index",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "b watched 1 q1", "commit": "=", "fail": "a q2", "time out": "a q2",
		"roll back": "a q2", "clear": "b ok watched 2", "clear unknown": "not-quarantined",
		"abrupt end": "b watched 2 q1", "ordered end": "b watched 3 q1",
	},
	"in its watch": {
		"stage": "b staged 4 watched 1 q1", "stage quarantined": "quarantined", "stage nothing": "bad-index",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "a q2", "commit": "b ok q1", "fail": "a q2", "time out": "a q2",
		"roll back": "a q2", "clear": "b watched 1", "clear unknown": "not-quarantined",
		"abrupt end": "b watched 1 q1", "ordered end": "b watched 2 q1",
	},
	"updated": {
		"stage": "b staged 4 ok q1", "stage quarantined": "quarantined", "stage nothing": "bad-index",
		"discard": "stale", "discard older": "stale", "switch": "stale", "switch older": "stale",
		"attempt": "b q1", "commit": "=", "fail": "b q1", "time out": "b q1",
		"roll back": "a q2", "clear": "b ok", "clear unknown": "not-quarantined",
		"abrupt end": "b q1", "ordered end": "b q1",
	},
	"staged again": {
		"stage": "b staged 4 ok q1", "stage quarantined": "quarantined", "stage nothing": "bad-index",
		"discard": "b ok q1", "discard older": "stale", "switch": "b pending a 2 q1", "switch older": "stale",
		"attempt": "b staged 3 q1", "commit": "=", "fail": "b staged 3 q1", "time out": "b staged 3 q1",
		"roll back": "a staged 3 q2", "clear": "b staged 3 ok", "clear unknown": "not-quarantined",
		"abrupt end": "b staged 3 q1", "ordered end": "b staged 3 q1",
	},
	"beside watch": {
		"stage": "b staged 4 ok watched 2 q1", "stage quarantined": "quarantined", "stage nothing": "bad-index",
		"discard": "b ok watched 2 q1", "discard older": "stale", "switch": "b pending a 2 q1",
		"switch older": "stale",
		"attempt":      "b staged 3 watched 1 q1", "commit": "=", "fail": "a staged 3 q2", "time out": "a staged 3 q2",
		"roll back": "a staged 3 q2", "clear": "b staged 3 ok watched 2", "clear unknown": "not-quarantined",
		"abrupt end": "b staged 3 watched 2 q1", "ordered end": "b staged 3 watched 3 q1",
	},
}

func TestTruthTable(t *testing.T) {
	all := states(t)
	if len(truth) != len(all) {
		t.Fatalf("the table has %d states, want %d", len(truth), len(all))
	}
	for name, state := range all {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				after, err := op.do(state)
				got := summary(after)
				switch {
				case err != nil:
					got = string(refusal.Of(err))
					equal(t, "record after a refusal", after, state)
				case reflect.DeepEqual(after, state):
					got = "="
				}
				if want := truth[name][op.name]; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				equal(t, "the state the operation began with", state, states(t)[name])
			})
		}
	}
}
