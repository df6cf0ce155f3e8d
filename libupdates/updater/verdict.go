package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// Commit confirms the set of the attempt, and reports whether it is under watch now, which it is only if that is asked
// for.
func (t *Trial) Commit(boot uint64, watch bool) (watched bool, err error) {
	var what Audit
	err = t.ledger.change(func(r bootctl.Record) (next bootctl.Record, err error) {
		what = about(r, r.Running())
		if watch {
			next, err = r.CommitAndWatch(boot, t.tries)
		} else {
			next, err = r.CommitHealth(boot)
		}
		watched = next.WatchLeft > 0
		return next, err
	})
	t.log.step("health", what, err)
	return watched, err
}

// EndWatch ends the watch over a set that has held.
func (t *Trial) EndWatch(boot uint64) error {
	var what Audit
	watched := false
	err := t.ledger.change(func(r bootctl.Record) (bootctl.Record, error) {
		what, watched = about(r, r.Active), r.WatchLeft > 0
		return r.EndWatch(boot)
	})
	if watched || err != nil {
		t.log.step("held", what, err)
	}
	return err
}

// EndBoot notes that the end of this boot was ordered.
func (t *Trial) EndBoot() error {
	return t.ledger.change(func(r bootctl.Record) (bootctl.Record, error) { return r.EndBoot(), nil })
}

// A Failure is a bad verdict on an attempt.
type Failure struct {
	Boot            uint64
	Reason          refusal.Reason
	Detail          string   // one line for people
	Output, Refused []string // last lines of the service that failed and what was refused to it: see bootctl.Rollback
}

// Fail takes the bad verdict on the attempt. A set is not left for one that is not there any more, or may not run, so
// the slot that a failure under watch leads to is checked first.
func (t *Trial) Fail(ctx context.Context, f Failure) (bootctl.Verdict, error) {
	var barred error
	if r := t.ledger.Record(); r.WatchLeft > 0 && r.Boot == f.Boot {
		var err error
		if barred, err = t.inspector.lookBack(ctx); err != nil {
			return 0, err
		}
	}
	var verdict bootctl.Verdict
	var what Audit
	err := t.ledger.change(func(r bootctl.Record) (next bootctl.Record, err error) {
		what = about(r, r.Running())
		next, verdict, err = watchedUnless(barred, r).Fail(f.Boot, f.Reason, f.Detail)
		if verdict == bootctl.RolledBack {
			next = next.Explain(f.Output, f.Refused)
		}
		return next, err
	})
	if err != nil {
		t.log.step("health", what, err)
		return verdict, err
	}
	what.Reason, what.Detail = f.Reason, f.Detail
	t.log.write("health", what, Failed)
	if verdict == bootctl.RolledBack {
		t.log.rollback(t.ledger.Record())
	}
	return verdict, nil
}
